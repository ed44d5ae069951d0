package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
	"gatecamp/trail"
)

func TestMigrateMakesTheDatabaseAndSaysSo(t *testing.T) {
	tt := newTerminal(t)
	tt.run("migrate", "--status").exits(exitFailed).says("no database", "gatecamp migrate")
	if _, err := os.Stat(tt.env["GATECAMP_DATA_DIR"]); err == nil {
		t.Error("asking for the status made the data folder")
	}
	tt.ok("migrate").says("from version 0 to")
	tt.ok("migrate").says("up to date", "Nothing was changed")
	tt.ok("migrate", "--status").says("up to date")
	info, err := os.Stat(filepath.Join(tt.env["GATECAMP_DATA_DIR"], "gatecamp.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is there for others: %v, %v", info.Mode(), err)
	}
}

func TestADatabaseThatIsNotOursOrNewerStaysAsItIs(t *testing.T) {
	for name, statement := range map[string]string{
		"another program's":  "DROP TABLE gatecamp",
		"a newer gatecamp's": "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)",
	} {
		t.Run(name, func(t *testing.T) {
			tt := newTerminal(t)
			tt.ok("migrate")
			path := filepath.Join(tt.env["GATECAMP_DATA_DIR"], "gatecamp.db")
			execSQL(t, path, statement)
			for _, args := range [][]string{{"migrate"}, {"migrate", "--status"}, {"policy", "show"}} {
				tt.run(args...).exits(exitUsage)
			}
			tt.run("health").exits(exitFailed).says("Database (sqlite): ")
		})
	}
	tt := newTerminal(t)
	if err := os.MkdirAll(tt.env["GATECAMP_DATA_DIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tt.env["GATECAMP_DATA_DIR"], "gatecamp.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := tt.run("migrate"); a.code == exitDone {
		t.Error("a file that is no database is taken for one")
	}
}

func execSQL(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestHealthSaysWhatCanBeCheckedWithoutAnOwner(t *testing.T) {
	tt := newTerminal(t)
	tt.run("health").exits(exitFailed).says("no database", "Owner: none", "GATECAMP_AUTH_URL is not set", "not healthy")
	tt.withAuth()
	tt.run("health").exits(exitFailed).says("Auth: readable")
	tt.ok("migrate")
	tt.run("health").exits(exitFailed).says("Database (sqlite): in order", "Owner: none", "Auth: healthy")
	o := tt.run("health", "--json").exits(exitFailed).object()
	if o["healthy"] != false || o["owner"] != nil || dig(o, "database", "ok") != true || text(o, "auth", "verdict") != "healthy" {
		t.Errorf("%v", o)
	}
	tt.env["GATECAMP_AUTH_URL"] = "snapshot:" + tt.dir + "/gone.json"
	tt.run("health").exits(exitFailed).says("Auth: blind", "cannot be read")
	tt.store(func(ctx context.Context, db storage.Store) {
		lease := must[storage.Lease](t)(db.AcquireLease(ctx, 0, storage.Owner{ID: "o", Host: "h", PID: 4711, Since: tt.now}))
		tt.run("health").exits(exitFailed).says("Owner: process 4711")
		if err := db.ReleaseLease(ctx, lease.Fence); err != nil {
			t.Error(err)
		}
	})
	tt.env["GATECAMP_GUILD_IDS"] = "x"
	tt.run("health").exits(exitUsage)
}

func TestConfigCheckTellsEverythingThatIsWrongAtOnce(t *testing.T) {
	tt := newTerminal(t)
	delete(tt.env, "GATECAMP_DISCORD_TOKEN")
	tt.run("config", "check").exits(exitUsage).says("GATECAMP_AUTH_URL is not set", "GATECAMP_DISCORD_TOKEN is not set")
	tt.withAuth()
	tt.ok("config", "check").says("Every setting is in order", "GATECAMP_DISCORD_TOKEN is not set")
	tt.env["GATECAMP_SCHEDULE"] = "CRON_TZ=Europe/Berlin 30 2 * * *"
	tt.ok("config", "check").says("CRON_TZ=Europe/Berlin 30 2 * * *", "skips 02:30", "shows 02:30 twice", "Every setting is in order")
	tt.env["GATECAMP_SCHEDULE"] = "at dawn"
	tt.env["GATECAMP_GUILD_IDS"] = "abc"
	tt.env["GATECAMP_RETENTION_DAYS"] = "-4"
	tt.env["GATECAMP_RETENTOIN_DAYS"] = "90"
	tt.env["GATECAMP_WEBHOOK_URL"] = "http://evil.example/" + secretMark
	tt.run("config", "check").exits(exitUsage).says("GATECAMP_SCHEDULE must be a cron expression", "GATECAMP_GUILD_IDS", "GATECAMP_RETENTION_DAYS", "did you mean GATECAMP_RETENTION_DAYS", "GATECAMP_WEBHOOK_URL")
	for _, args := range [][]string{{"policy", "show"}, {"source", "show"}, {"migrate"}, {"health"}, {"source", "accounts"}} {
		tt.run(args...).exits(exitUsage).says("GATECAMP_GUILD_IDS")
	}
}

func TestConfigShowPrintsNoSecret(t *testing.T) {
	tt := newTerminal(t)
	delete(tt.env, "GATECAMP_DISCORD_API_URL") // a webhook must be of the same server
	tt.env["GATECAMP_AUTH_URL"] = "mysql://reader:" + secretMark + "@127.0.0.1:1/aa"
	tt.env["GATECAMP_WEBHOOK_URL"] = "https://discord.com/api/webhooks/123/" + secretMark
	tt.env["GATECAMP_DATABASE_URL"] = "postgres://gatecamp:" + secretMark + "@127.0.0.1:1/gatecamp"
	tt.ok("config", "show").says("GATECAMP_AUTH_URL", "[REDACTED]", "environment", "GATECAMP_SCHEDULE", "default")
	o := tt.ok("config", "show", "--json").object()
	if n := len(items(o, "settings")); n < 20 {
		t.Errorf("%d settings, want all", n)
	}
	tt.env["GATECAMP_LOG_LEVEL"] = "loud"
	tt.run("config", "show").exits(exitUsage).says("GATECAMP_SCHEDULE", "GATECAMP_LOG_LEVEL")
}

// Every command is tried with an Auth and a database that cannot be reached and whose addresses hold a secret; run looks for it in
// whatever comes out.
func TestNoSecretComesOutOfAnyCommand(t *testing.T) {
	tt := newTerminal(t)
	commands := [][]string{
		{"policy", "show"},
		{"policy", "history", "--json"},
		{"policy", "set", tt.file("p.yaml", "unknown_guest: {default: report, by_group: {A: report}}\n"), "--reason", "x"},
		{"bind", "show"},
		{"bind", "propose", "--snapshot", tt.file("guild.json", guildText)},
		{"bind", "add", "12", "--group", "A", "--reason", "x"},
		{"source", "show"},
		{"source", "show", "--json"},
		{"source", "accept", "--reason", "x"},
		{"source", "accounts"},
		{"source", "threshold", "show"},
		{"brake", "show"},
		{"brake", "reset", "kicks", "--reason", "x"},
		{"identity", "add", "5", "--user", "1", "--reason", "x"},
		{"protect", "list"},
		{"grant", "add", "gatecamp.apply", "--to", "user:a", "--reason", "x"},
		{"grant", "list"},
		{"snapshot"},
		{"migrate"},
		{"migrate", "--status"},
		{"health"},
		{"health", "--json"},
		{"config", "check"},
		{"config", "show", "--json"},
		{"erase", "discord:5", "--reason", "x"},
		{"no such command"},
	}
	for _, database := range []string{"", "postgres://gatecamp:" + secretMark + "@127.0.0.1:1/gatecamp?connect_timeout=1"} {
		tt.env["GATECAMP_DATABASE_URL"] = database
		for _, url := range []string{
			"mysql://reader:" + secretMark + "@127.0.0.1:1/aa", "postgres://reader:" + secretMark + "@127.0.0.1:1/aa",
			"sqlite:" + filepath.Join(tt.dir, "none.db"), "mysql://reader:" + secretMark + "#@/%zz", "mongodb://" + secretMark,
		} {
			tt.env["GATECAMP_AUTH_URL"] = url
			for _, args := range commands {
				tt.run(args...)
			}
		}
	}
}

func TestErasingAPersonForgetsWhoTheyWereAndKeepsWhatHappened(t *testing.T) {
	tt := newTerminal(t)
	tt.ok("protect", "add", "5", "--reason", "makes the database")
	var keys []trail.Key
	tt.store(func(ctx context.Context, db storage.Store) {
		keys = must[[]trail.Key](t)(db.PersonKeys(ctx, guildID, []storage.Person{{Ref: "discord:777", Discord: 777, Name: "Someone"}}))
		err := db.AppendTrail(ctx, []storage.TrailRecord{{
			Entry: trail.Entry{Guild: guildID, At: tt.now, Kind: trail.Done, Subject: keys[0], What: "remove_role"}, Text: "Someone lost Directors",
		}})
		if err != nil {
			t.Fatal(err)
		}
	})
	tt.run("erase", "777").exits(exitUsage).says("--reason")
	tt.run("erase", "777", "--reason", "request of discord:777").exits(exitUsage).says("names the person")
	tt.run("erase", "778", "--reason", "ticket 9").exits(exitUsage).says("knows nobody")
	for _, wrong := range []string{"x", "discord:0", "discord:", "user:", "role:5", "", "console: "} {
		tt.run("erase", wrong, "--reason", "ticket 9").exits(exitUsage)
	}
	tt.ok("erase", "777", "--reason", "ticket 7779").says("Forgotten", "entries themselves stay")
	tt.run("erase", "discord:777", "--reason", "ticket 9").exits(exitUsage)
	tt.store(func(ctx context.Context, db storage.Store) {
		records := must[[]storage.TrailRecord](t)(db.TrailEntries(ctx, guildID, storage.TrailFilter{Subject: keys[0]}))
		if len(records) != 1 || records[0].Text != "" || records[0].What != "remove_role" {
			t.Errorf("records: %+v", records)
		}
		if p := must[map[trail.Key]storage.Person](t)(db.People(ctx, guildID, keys))[keys[0]]; p.Ref != "" || p.Name != "" || p.Discord != snowflake.ID(0) {
			t.Errorf("still known: %+v", p)
		}
	})
	for _, v := range tt.invocations() {
		if v.Command == "erase" && strings.Contains(v.Args, "777") {
			t.Errorf("the attempt names the person: %q", v.Args)
		}
	}
	if c := tt.changes("person"); len(c) != 1 || strings.Contains(string(c[0].Before)+string(c[0].After)+c[0].Key, "777") {
		t.Errorf("changes: %+v", c)
	}
}

func TestSnapshotWritesAnExistingOneAgain(t *testing.T) {
	tt := newTerminal(t)
	from := tt.file("guild.json", guildText)
	tt.ok("snapshot", "--from", from).says("Dora the Director", `"guild_roles"`)
	out := filepath.Join(tt.dir, "masked.json")
	tt.ok("snapshot", "--from", from, "--mask", "--out", out).says("holds 2 members")
	text := string(must[[]byte](t)(os.ReadFile(out)))
	if strings.Contains(text, "ora") || !strings.Contains(text, "Moderator") {
		t.Errorf("names of people are left, or names of roles are gone:\n%s", text)
	}
	if info := must[os.FileInfo](t)(os.Stat(out)); info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
	tt.run("snapshot", "--from", from, "--out", out).exits(exitUsage).says("is there already", "nothing was written")
	tt.run("snapshot", "--from", from, "--out", filepath.Join(tt.dir, "none", "x.json")).exits(exitUsage)
	tt.run("snapshot", "--from", filepath.Join(tt.dir, "none.json")).exits(exitUsage)
	tt.run("snapshot", "--from", tt.file("bad.json", `{"guild_roles": [{"id": "x"}]}`), "--out", filepath.Join(tt.dir, "b.json")).exits(exitUsage).says("guild_roles[0]")
	if left := must[[]string](t)(filepath.Glob(filepath.Join(tt.dir, ".gatecamp-*"))); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	tt.ok("snapshot", "--from", out, "--out", filepath.Join(tt.dir, "again.json"))
}

func TestWhichGuildIsAskedWhereThereAreSeveral(t *testing.T) {
	tt := newTerminal(t)
	delete(tt.env, "GATECAMP_GUILD_IDS")
	tt.run("policy", "show").exits(exitUsage).says("which guild?")
	tt.ok("--guild", "901", "policy", "set", tt.file("p.yaml", "unknown_guest: strip\n"), "--reason", "x")
	tt.ok("policy", "show").says("version 1")
	tt.env["GATECAMP_GUILD_IDS"] = "901,902"
	tt.run("policy", "show").exits(exitUsage).says("There are 2", "--guild with one of 901, 902")
	tt.ok("--guild", "902", "policy", "show").says("no policy was ever set")
	for _, wrong := range []string{"0", "x", "-1", "9223372036854775808"} {
		tt.run("--guild", wrong, "policy", "show").exits(exitUsage)
	}
}
