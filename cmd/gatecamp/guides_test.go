package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatecamp/audit"
	"gatecamp/config"
	"gatecamp/storage"
	"gatecamp/trail"
)

const peerGuide = "../../docs/coming-from-aa-discord-audit.md"

// The names that aa-discord-audit 0.1.0a16 has: its settings, commands, flags, permissions, pages and tables.
func peerNames() []string {
	return strings.Fields(`
		POLICY NOTIFY_ADMINS WEBHOOK_URL BOT_UIDS AUTO_DISCOVER_BY_NICKNAME RUN_RETENTION_DAYS RETENTION_OPT_OUT_ACKNOWLEDGED IDEMPOTENCY_KEY_TTL_DAYS
		RUN_DEADLINE_MINUTES RUN_RATE_LIMIT_PER_DAY RUN_RATE_LIMIT_DISABLED BEAT_ALLOW_DESTRUCTIVE BEAT_MIN_INTERVAL_MINUTES CLI_ACTOR WEBHOOK_TIMEOUT
		WEBHOOK_MAX_RETRIES USE_BULK_ROLE_STRIP PRESENCE_ENABLED PRESENCE_SAMPLE_INTERVAL_MINUTES METRICS_MEMBERS_BY_GROUP METRICS_MEMBERS_BY_ROLE
		audit_discord_roles --action --limit --user-id --no-notify --yes --json --resume --abandon --explain --diff --policy-preview --from-fixture
		audit_acknowledge_initial audit_abandon_stuck_runs audit_benchmark prune_audit_runs --dry-run --keys-only
		audit_orphan_members process_pending_run retry_pending_kicks sample_guild_presence
		run_audit run_audit_destructive acknowledge_initial_audit manage_role_exception manage_protected_member manage_bot_account_uid
		manage_finding_override manage_discord_identity view_auditrun view_auditfinding view_auditinvocation view_configchangelog
		runs/ runs/N/ findings.csv state.json explain/ invocations/ changelog/ run-launch/ metrics
		AuditRun AuditFinding AuditInvocation ConfigChangeLog PendingKick ManagedRoleException ProtectedDiscordMember BotAccountUid
		FindingActionOverride DiscordIdentity InitialAuditAcknowledgement GuildAuditAggregateSnapshot GuildPresenceSnapshot
		unknown_guest linked_no_perm bot_filtered budget_exceeded interrupted rate_limited permission_denied confirmation_declined initial_lock_held
		http_error protected_config reclassified reclassified_user_change auth_failed forbidden_403 manually_reviewed internal_inconsistency
		internal_error member_left`)
}

func TestTheGuideNamesEverythingThatThePeerHas(t *testing.T) {
	text := string(must[[]byte](t)(os.ReadFile(peerGuide)))
	for _, name := range peerNames() {
		if !regexp.MustCompile(`[^A-Za-z_-]` + regexp.QuoteMeta(name) + `[^A-Za-z_]`).MatchString(text) {
			t.Errorf("%s does not say where %s is", filepath.Base(peerGuide), name)
		}
	}
	for _, r := range audit.Rights() {
		_, short, _ := strings.Cut(r.String(), ".")
		if !strings.Contains(text, short) {
			t.Errorf("%s does not name the right %s", filepath.Base(peerGuide), r)
		}
	}
}

// Commands, flags and settings that the guides name must be there.
func TestTheGuidesNameNothingThatIsNotThere(t *testing.T) {
	settings := map[string]bool{}
	for _, s := range config.Settings() {
		settings[s.Name] = true
		settings[s.Name+"_FILE"] = s.Secret
	}
	root := newRoot(&console{})
	root.InitDefaultCompletionCmd()
	for _, guide := range []string{peerGuide, guardGuide, eventDocs, "../../docs/operations.md", consoleDocs} {
		text := string(must[[]byte](t)(os.ReadFile(guide)))
		for _, name := range regexp.MustCompile(`GATECAMP_[A-Z0-9_]+`).FindAllString(text, -1) {
			if !settings[name] {
				t.Errorf("%s names the setting %s, which is not there", filepath.Base(guide), name)
			}
		}
		for _, m := range regexp.MustCompile("`gatecamp ([^`]+)`|(?m)^ *gatecamp (.+)$").FindAllStringSubmatch(text, -1) {
			line := m[1] + m[2]
			words := strings.Fields(strings.Split(line, " | ")[0])
			cmd, rest, err := root.Find(words)
			if err != nil || cmd == root && !strings.HasPrefix(words[0], "-") || cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
				t.Errorf("%s names `gatecamp %s`, which is no command", filepath.Base(guide), line)
				continue
			}
			for _, flag := range regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(strings.Join(rest, " "), -1) {
				if cmd.Flags().Lookup(flag[1]) == nil && cmd.InheritedFlags().Lookup(flag[1]) == nil {
					t.Errorf("%s names `gatecamp %s`, which has no flag --%s", filepath.Base(guide), line, flag[1])
				}
			}
		}
	}
}

// The way that docs/operations.md gives: VACUUM INTO while gatecamp works, and the file put in the place of the lost one.
func TestABackupBringsEverythingBack(t *testing.T) {
	tt := newTerminal(t).withAuth()
	tt.ok("policy", "set", tt.file("p.yaml", "unknown_guest: strip\n"), "--reason", "before the backup")
	tt.ok("protect", "add", "555", "--reason", "before the backup")
	tt.acknowledge("strip")
	data := tt.env["GATECAMP_DATA_DIR"]
	backup := filepath.Join(tt.dir, "backup.db")
	tt.store(func(ctx context.Context, db storage.Store) { // somebody works with it meanwhile
		keys := must[[]trail.Key](t)(db.PersonKeys(ctx, guildID, []storage.Person{{Ref: "discord:555"}}))
		if err := db.AppendTrail(ctx, []storage.TrailRecord{{Entry: trail.Entry{Guild: guildID, At: tt.now, Kind: trail.Done, Subject: keys[0], What: "kick"}}}); err != nil {
			t.Fatal(err)
		}
		execSQL(t, filepath.Join(data, databaseFile), "VACUUM INTO '"+backup+"'")
	})
	tt.ok("protect", "add", "556", "--reason", "after the backup")

	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	tt.ok("protect", "list").says("No member is protected")
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(data, 0o700), os.Rename(backup, filepath.Join(data, databaseFile))); err != nil {
		t.Fatal(err)
	}
	tt.ok("migrate", "--status").says("up to date")
	tt.ok("protect", "list").says("555", "before the backup").silentAbout("556")
	tt.ok("policy", "history").says("before the backup")
	tt.ok("pause", "--reason", "restored from a backup")
	tt.store(func(ctx context.Context, db storage.Store) {
		if records := must[[]storage.TrailRecord](t)(db.TrailEntries(ctx, guildID, storage.TrailFilter{})); len(records) != 1 || records[0].What != "kick" {
			t.Errorf("the record: %+v", records)
		}
	})
	raw, err := sql.Open("sqlite", filepath.Join(data, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, statement := range []string{"DELETE FROM trail", "UPDATE trail SET what = 'nothing'", "DELETE FROM run", "DELETE FROM config_change", "DELETE FROM invocation"} {
		if _, err := raw.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("the restored database lets %q happen", statement)
		}
	}
}
