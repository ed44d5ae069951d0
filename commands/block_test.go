package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatecamp/audit"
	"gatecamp/discord/discordtest"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/storage"
)

// blockRig is a rig in which everybody sees every command.
func blockRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	sees := discordtest.Permissions(audit.ManageGuild | audit.ManageRoles | 1<<10 | 1<<11 | 1<<31) // and view channels, send messages, use commands
	_, err := r.s.EditRole(guildID, guildID, dara, discordtest.RoleEdit{Permissions: &sees})
	r.must(err)
	return r
}

// blockedHere are the blocks in force, of this guild and of everywhere.
func (r *rig) blockedHere() []storage.Block {
	r.t.Helper()
	all, err := r.db.Blocks(r.t.Context(), storage.BlockFilter{InForce: r.now()})
	r.must(err)
	return all
}

func (r *rig) attempts() []storage.Invocation {
	r.t.Helper()
	all, err := r.db.Invocations(r.t.Context(), guildID, storage.InvocationFilter{})
	r.must(err)
	return all
}

func TestSomebodyIsBlockedTheirCommandIsRefusedAndAfterwardsTheyMayAgain(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	r.grant(kael, audit.RightViewRuns)
	want(t, r.run(kael, "audit history").text(), "Runs, newest")
	s := r.run(mako, "block add", "member", kael, "duration", "30m", "reason", "spams *links*")
	if !s.private() {
		t.Error("the answer is shown to the channel")
	}
	want(t, s.text(), "✅ Blocked: 1 person", "<@1002>", "is blocked until <t:", "on this server", "`#1`", "Reason: spams \\*links\\*", "also:strip")
	end := r.now().Add(30 * time.Minute)
	no := r.run(kael, "audit history")
	want(t, no.text(), "⛔ You are blocked here", "Reason: spams \\*links\\*", "Until: <t:", "If you think that this is wrong: Write to a moderator", "Block 1")
	if no.Type != 4 || !no.private() || !strings.Contains(no.text(), fmt.Sprintf("<t:%d:", end.Unix())) && !strings.Contains(no.text(), fmt.Sprintf("<t:%d:", end.Unix()-1)) {
		t.Errorf("the refusal is of type %d, private %v:\n%s", no.Type, no.private(), no.text())
	}
	want(t, r.runIn(kael, "ru", "why").text(), "Вы здесь заблокированы", "Причина: spams", "До: <t:")
	if got := r.typing(kael, "audit findings", "run", "run", "1").Choices; len(got) != 0 {
		t.Errorf("whoever is blocked is offered %v", got)
	}
	want(t, r.run(mako, "block remove", "member", kael, "reason", "it was a mistake").text(), "✅ Lifted: 1 block", "In force at once")
	want(t, r.run(kael, "audit history").text(), "Runs, newest")
	if list := r.attempts(); len(list) != 2 || strings.Contains(fmt.Sprint(list), "spams") {
		t.Errorf("the record of attempts: %+v", list)
	}
	past, err := r.db.BlockHistory(t.Context(), guildID, "member", "900000000000000001:1002", storage.Page{})
	if err != nil || len(past) != 2 || past[0].Kind != "revoked" || past[0].Reason != "it was a mistake" || past[0].Actor != "discord:1004" {
		t.Errorf("history %+v, %v", past, err)
	}
}

func TestAPressOnAnOldCardAndAModalAreRefusedTooAndTheFloodIsSilent(t *testing.T) {
	r := blockRig(t)
	r.released()
	r.grant(mako, audit.RightBlock)
	r.grant(kael, audit.RightRun, audit.RightApply, audit.RightRemove, audit.RightPolicy)
	card := r.run(kael, "audit apply", "run", "1")
	modal := r.run(kael, "policy set")
	r.run(mako, "block add", "member", kael, "duration", "1h", "reason", "gone wrong")
	label := card.last().Components[0].Components[0].Label
	for range denialMost {
		want(t, r.press(kael, card.last(), label).last().text(), "You are blocked here", "gone wrong")
	}
	if s := r.press(kael, card.last(), label); s.Type != 6 {
		t.Errorf("one more press is answered with type %d:\n%s", s.Type, s.last().text())
	}
	if len(r.runner.started) != 0 {
		t.Errorf("started %v", r.runner.started)
	}
	filled := r.fill(kael, modal, map[string]any{"policy": "unknown_guest: strip", "reason": "because"})
	want(t, filled.last().text(), "You are blocked here")
	want(t, r.run(kael, "why").text(), "You are blocked here") // commands are always told
}

func TestABlockHoldsInItsOwnGuildAlone(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	r.run(mako, "block add", "member", kael, "duration", "1d", "reason", "here alone")
	if no := r.checked(t.Context(), Attempt{Guild: guildID, User: kael}); no == nil {
		t.Error("not blocked here")
	}
	if no := r.checked(t.Context(), Attempt{Guild: 77, User: kael}); no != nil {
		t.Errorf("blocked in another guild: %+v", no)
	}
	want(t, r.run(mako, "block add", "member", quill, "duration", "1d", "reason", "everywhere", "scope", "user").text(), "gatecamp.block.global")
	r.grant(mako, audit.RightBlockGlobal)
	want(t, r.run(mako, "block add", "member", quill, "duration", "1d", "reason", "everywhere", "scope", "user").text(), "on every server of this gatecamp")
	if no := r.checked(t.Context(), Attempt{Guild: 77, User: quill}); no == nil {
		t.Error("not blocked in another guild")
	}
	r.revoke(mako)
	r.grant(mako, audit.RightBlock)
	want(t, r.run(mako, "block remove", "member", quill, "reason", "let them in").text(), "gatecamp.block.global")
	if len(r.blockedHere()) != 2 {
		t.Errorf("in force: %+v", r.blockedHere())
	}
}

func TestOnlyWhoHoldsTheRightBlocks(t *testing.T) {
	r := blockRig(t)
	for _, name := range []string{"block add", "block remove", "block list", "block show", "block extend"} {
		options := []any{"member", kael}
		if !strings.HasSuffix(name, "list") && !strings.HasSuffix(name, "show") {
			options = append(options, "reason", "because")
		}
		if strings.HasSuffix(name, "add") || strings.HasSuffix(name, "extend") {
			options = append(options, "duration", "1h")
		}
		want(t, r.run(quill, name, options...).text(), "gatecamp.block", "nothing was done")
	}
	if len(r.blockedHere()) != 0 {
		t.Errorf("blocked: %+v", r.blockedHere())
	}
	if list := r.attempts(); len(list) != 5 || list[0].Refusal != "permission_denied" {
		t.Errorf("the record: %+v", list)
	}
}

func TestNobodyIsLockedOutOfTheirOwnHouse(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock, audit.RightBlockGlobal)
	r.guild.pic.Members[1].Roles = r.guild.pic.Members[1].Roles.With(2) // 3002 holds Miners, 2003, which is immune
	want(t, r.run(mako, "block add", "member", dara, "duration", "1h", "reason", "a revolt").text(), "cannot be blocked", "the attempt is recorded")
	want(t, r.run(mako, "block add", "more_members", "3002", "member", dara, "duration", "1h", "reason", "a revolt").text(), "<@3002> cannot be blocked", "<@1001> cannot")
	want(t, r.run(mako, "block add", "member", mako, "duration", "1h", "reason", "a joke").text(), "your own account")
	if len(r.blockedHere()) != 0 {
		t.Errorf("blocked: %+v", r.blockedHere())
	}
	past, err := r.db.BlockHistory(t.Context(), guildID, "member", "900000000000000001:1001", storage.Page{})
	if err != nil || len(past) != 2 || past[0].Kind != "refused" || past[0].Actor != "discord:1004" {
		t.Errorf("history %+v, %v", past, err)
	}
	if list := r.attempts(); len(list) == 0 || list[len(list)-1].Refusal == "" {
		t.Errorf("the record: %+v", list)
	}
}

func TestSeveralAreBlockedAtOnceAndEachIsTold(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	s := r.run(mako, "block add", "member", quill, "more_members", "<@1002>, 4001 1001", "duration", "forever", "reason", "a raid")
	want(t, s.text(), "Blocked: 3 people", "<@1007>", "<@1002>", "<@4001>", "for good", "<@1001> cannot be blocked", "1 was refused")
	if n := len(r.blockedHere()); n != 3 {
		t.Errorf("%d blocks", n)
	}
	want(t, r.run(mako, "block remove", "member", quill, "more_members", "1002", "reason", "over").text(), "Lifted: 2 blocks")
	for more, says := range map[string]string{"kael": "`kael` names nobody", strings.Repeat("4001 ", 3): "Blocked: 2", manyIDs(30): "at most 25"} {
		want(t, r.run(mako, "block add", "member", quill, "more_members", more, "duration", "1h", "reason", "again").text(), says)
	}
}

func manyIDs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d ", 5000+i)
	}
	return b.String()
}

func TestWhatIsAskedForWrongOfBlockChangesNothing(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock, audit.RightBlockGlobal)
	for name, says := range map[string]struct {
		options []any
		says    []string
	}{
		"no time":         {[]any{"member", kael, "duration", "soon", "reason", "because"}, []string{"`soon` is no time", "7d", "forever"}},
		"a time that was": {[]any{"member", kael, "duration", "2020-01-01", "reason", "because"}, []string{"`2020-01-01` is no time"}},
		"no account":      {[]any{"member", kael, "duration", "1h", "reason", "because", "scope", "account"}, []string{"not linked to exactly one user", "scope:member"}},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, r.run(mako, "block add", says.options...).text(), append(says.says, "nothing was changed")...)
		})
	}
	want(t, r.run(mako, "block remove", "member", kael, "reason", "because").text(), "No block of <@1002> is in force here", "/block list")
	want(t, r.run(mako, "block remove", "reason", "because").text(), "Nobody was named")
	want(t, r.run(mako, "block remove", "block", "99", "reason", "because").text(), "There is no block `#99` here")
	want(t, r.run(mako, "block extend", "block", "x", "duration", "1h", "reason", "because").text(), "x")
	want(t, r.run(mako, "block show").text(), "Nobody was named")
	if len(r.blockedHere()) != 0 {
		t.Errorf("blocked: %+v", r.blockedHere())
	}
}

func TestABlockIsExtendedAndNeverMadeShorter(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	r.run(mako, "block add", "member", kael, "duration", "2h", "reason", "first")
	first := r.blockedHere()[0]
	want(t, r.run(mako, "block add", "member", kael, "duration", "1h", "reason", "second").text(), "is blocked by <@1004> already", "stays as it is")
	want(t, r.run(mako, "block extend", "block", "1", "duration", "1d", "reason", "and again").text(), "Extended: 1 block", "before, until <t:")
	got := r.blockedHere()[0]
	if got.ID != first.ID || !got.End.Equal(first.End.Add(24*time.Hour)) || got.Reason != "first" {
		t.Errorf("extended to %+v, first %+v", got, first)
	}
	want(t, r.run(mako, "block extend", "member", kael, "duration", "forever", "reason", "enough").text(), "until for good")
	want(t, r.run(mako, "block extend", "member", kael, "duration", "1d", "reason", "more").text(), "for good already")
	if got := r.blockedHere()[0]; !got.End.IsZero() {
		t.Errorf("it ends %s", got.End)
	}
}

func TestBlocksAreListedShownAndFoundWhileTyping(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock, audit.RightBlockGlobal)
	want(t, r.run(mako, "block list").text(), "There are none.", "Enforcement is on")
	for i := range 12 {
		_, err := r.guard.Block(t.Context(), guard.Order{
			Namespace: enforcement.Namespace(guildID), Subject: enforcement.Subject{Scope: enforcement.Member, ID: uint64(5000 + i), Guild: uint64(guildID)}, TTL: time.Hour, Also: enforcement.AlsoKick,
			By: storage.Author{Actor: "discord:1004", Origin: "test", Reason: fmt.Sprintf("reason %d", i), At: r.now().UTC()},
		})
		r.must(err)
	}
	_, err := r.guard.Block(t.Context(), guard.Order{Namespace: 77, Subject: enforcement.Subject{Scope: enforcement.Member, ID: 6000, Guild: 77}, TTL: time.Hour, By: r.author()})
	r.must(err)
	r.run(mako, "block add", "member", quill, "duration", "1d", "reason", "everywhere", "scope", "user", "also", "none")
	s := r.run(mako, "block list")
	want(t, s.text(), "`#14`", "everywhere", "on every server", "reason 11", "also: kicked")
	if strings.Contains(s.text(), "6000") {
		t.Errorf("another guild's block is listed:\n%s", s.text())
	}
	if len(s.Attachments) != 2 || s.Attachments[0].Filename != "blocks.csv" || s.Attachments[1].Filename != "blocks.json" {
		t.Errorf("attached: %+v", s.Attachments)
	}
	want(t, r.press(mako, s.message, "Next").text(), "reason 0")
	if s := r.run(mako, "block list", "member", quill, "format", "json"); len(s.Attachments) != 1 || strings.Contains(s.text(), "reason") {
		t.Errorf("%+v\n%s", s.Attachments, s.text())
	}
	if s := r.run(mako, "block list", "scope", "user"); strings.Contains(s.text(), "reason 1") {
		t.Errorf("filtered by scope:\n%s", s.text())
	}
	choices := r.typing(mako, "block remove", "block", "block", "14").Choices
	if len(choices) != 1 || choices[0].Value != "14" || !strings.Contains(choices[0].Name, "everywhere") {
		t.Errorf("offered %+v", choices)
	}
	if got := r.typing(mako, "block add", "duration", "member", kael, "duration", "3").Choices; len(got) != 2 || got[0].Value != "30m" {
		t.Errorf("offered %+v", got)
	}
	if got := r.typing(quill, "block remove", "block", "block", "1").Choices; len(got) != 0 {
		t.Errorf("whoever may not is offered %+v", got)
	}
	r.run(mako, "block remove", "block", "14", "reason", "enough of it")
	shown := r.run(mako, "block show", "member", quill).text()
	want(t, shown, "No block about them is in force here", "lifted", "enough of it", "blocked")
	want(t, r.run(mako, "block show", "block", "14").text(), "Block #14", "lifted by <@1004>")
	want(t, r.run(mako, "block list", "closed", true, "member", quill).text(), "`#14`")
	want(t, r.run(mako, "block show", "block", "13").text(), "There is no block `#13` here") // another guild's
}

func TestALineForProgramsSaysEverythingOfABlock(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	line := guard.LineOf(&storage.Block{ID: 3, Guild: guildID, Scope: "member", Value: "900000000000000001:1002", Reason: "r", Owner: "discord:1004", Start: at, End: at.Add(time.Hour), Also: enforcement.AlsoKick}, at)
	data, err := json.Marshal(line)
	if err != nil || len(line.Cells()) != len(guard.LineColumns()) {
		t.Fatal(err, len(line.Cells()))
	}
	want(t, string(data), `"block":3`, `"state":"active"`, `"namespace":"guild:900000000000000001"`, `"member_id":"1002"`, `"also":"kick"`, `"ends":"2026-11-22T19:00:00Z"`, `"closed":null`)
}

func TestWhatWouldHoldTheRemovalIsSaidAtOnce(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	want(t, r.run(mako, "block add", "member", oren, "more_members", "4001", "duration", "1d", "reason", "out").text(), "will be kicked, **but not yet**", "the first-run lock", "/acknowledge")
	r.released()
	want(t, r.run(mako, "block add", "member", oren, "more_members", "4002", "duration", "1d", "reason", "out").text(), "<@4002>", "will be kicked now", "not here now; will be kicked on coming in")
	want(t, r.run(mako, "block add", "member", oren, "more_members", "4003", "duration", "1d", "reason", "out", "also", "strip").text(), "will lose every managed role now")
	want(t, r.run(mako, "block add", "member", oren, "more_members", "4004", "duration", "1d", "reason", "out", "also", "none").text(), "On the server: nothing")
	_, err := r.db.Pause(t.Context(), guildID, r.author())
	r.must(err)
	want(t, r.run(mako, "block add", "member", oren, "more_members", "4005", "duration", "1d", "reason", "out").text(), "**but not yet**", "the pause", "/unpause")
	_, err = r.db.Unpause(t.Context(), guildID, r.author())
	r.must(err)
	s := r.run(mako, "block add", "member", oren, "more_members", "3003 3004 3005 3006 3007 3008 3009", "duration", "1d", "reason", "a raid")
	if n := strings.Count(s.text(), "the brake on kicks of blocked members"); n != 2 {
		t.Errorf("%d of seven are held by the budget of five:\n%s", n, s.text())
	}
	want(t, r.run(mako, "block add", "member", oren, "more_members", "3010", "duration", "1d", "reason", "out").text(), "will be kicked")
	r.guild.pic.Complete = false
	want(t, r.run(mako, "block add", "member", oren, "more_members", "3011", "duration", "1d", "reason", "out").text(), "**but not yet**", "member list")
}

func TestWhileAuthIsAwayABlockOfAnHourRestsOnWhatWasSeenLately(t *testing.T) {
	r := corporation(t)
	_, err := r.db.AddGrant(t.Context(), storage.Grant{Guild: guildID, Right: audit.RightBlock.String(), SubjectKind: "state", Subject: "Member", Reason: "r", At: r.now()}, r.author())
	r.must(err)
	const moderator = mako
	want(t, r.run(moderator, "block list").text(), "none") // Auth is asked, and remembered
	r.guild.lose(errors.New("connection refused"))
	want(t, r.run(moderator, "block add", "member", kael, "duration", "2h", "reason", "a raid").text(), "blocks of up to an hour")
	want(t, r.run(moderator, "block add", "member", kael, "duration", "forever", "reason", "a raid").text(), "Auth")
	if len(r.blockedHere()) != 0 {
		t.Errorf("blocked: %+v", r.blockedHere())
	}
	want(t, r.run(moderator, "block add", "member", kael, "duration", "1h", "reason", "a raid").text(), "Blocked: 1 person")
	want(t, r.run(moderator, "block extend", "member", kael, "duration", "1h", "reason", "a raid").text(), "Auth")
	want(t, r.run(moderator, "block remove", "member", kael, "reason", "over").text(), "Auth")
	r.pass(25 * time.Hour)
	want(t, r.run(moderator, "block add", "member", quill, "duration", "1h", "reason", "a raid").text(), "Auth")
	want(t, r.run(lira, "block add", "member", quill, "duration", "1h", "reason", "a raid").text(), "Auth")
}

func TestTheContextMenuAsksForTheRestInAModal(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	s := r.menu(mako, kael, "en-US", "Block…")
	if s.Type != 9 || s.Modal.Title != "Block somebody" || len(s.Modal.Components) != 2 || s.Modal.Components[1].Component.CustomID != "reason" {
		t.Fatalf("%d %+v\n%s", s.Type, s.Modal, s.last().text())
	}
	want(t, r.fill(mako, s, map[string]any{"duration": "3d", "reason": "by the menu"}).last().text(), "Blocked: 1 person", "by the menu")
	if all := r.blockedHere(); len(all) != 1 || all[0].Value != "900000000000000001:1002" || all[0].Also != enforcement.AlsoKick {
		t.Errorf("blocked: %+v", all)
	}
	s = r.menu(mako, quill, "en-US", "Block…")
	want(t, r.fill(mako, s, map[string]any{"duration": "soon", "reason": "by the menu"}).last().text(), "is no time")
	want(t, r.menu(quill, kael, "en-US", "Block…").last().text(), "gatecamp.block")
	want(t, r.menu(mako, mako, "en-US", "Block…").last().text(), "your own account")
}

func TestNoSecretGetsIntoTheRecordOfBlocks(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	letters := "abcdefghijklmnopqrstuvwxyz0123456789" // put together here, so that no file holds what looks like a secret
	canary := "MTIzNDU2Nzg5MDEyMzQ1Njc4." + "GabcDE." + letters + "AB"
	r.run(mako, "block add", "member", kael, "duration", "1h", "reason", "posted "+canary+" https://discord.com/api/webhooks/900000000000000077/"+letters+letters)
	all, err := json.Marshal(r.blockedHere())
	r.must(err)
	past, err := r.db.BlockHistory(t.Context(), guildID, "member", "900000000000000001:1002", storage.Page{})
	r.must(err)
	for _, text := range []string{string(all), fmt.Sprint(past), fmt.Sprint(r.attempts()), r.log.String()} {
		if strings.Contains(text, canary) || strings.Contains(text, letters) || strings.Contains(text, "aW50ZXJhY3Rpb2") {
			t.Errorf("a secret is kept: %s", text)
		}
	}
	want(t, string(all), "posted ")
}

func TestWhileTheDatabaseIsAwayABlockIsHeldInProcessOnRightsSeenLately(t *testing.T) {
	r := blockRig(t)
	r.grant(mako, audit.RightBlock)
	want(t, r.run(mako, "block list").text(), "There are none.")
	r.must(r.db.Close())
	want(t, r.run(mako, "block add", "member", kael, "duration", "30m", "reason", "a raid").text(), "Blocked: 1 person", "The database cannot be written", "as soon as Discord says")
	want(t, r.run(kael, "why").text(), "You are blocked here", "a raid")
	want(t, r.run(lira, "block add", "member", quill, "duration", "30m", "reason", "a raid").text(), "the database file cannot be reached") // nothing was seen of her
	if text := r.run(mako, "block add", "member", quill, "duration", "forever", "reason", "a raid").text(); strings.Contains(text, "Blocked") {
		t.Errorf("for good without a database:\n%s", text)
	}
	if no := r.checked(t.Context(), Attempt{Guild: guildID, User: quill}); no != nil {
		t.Errorf("blocked: %+v", no)
	}
	r.pass(25 * time.Hour)
	want(t, r.run(mako, "block add", "member", quill, "duration", "30m", "reason", "a raid").text(), "the database file cannot be reached")
}

func TestWhoeverIsBlockedAfterOrderingHasNothingDoneForThem(t *testing.T) {
	r := blockRig(t)
	r.released()
	r.grant(kael, audit.RightRun, audit.RightApply)
	run := storage.Run{ID: 9, Guild: guildID, Order: storage.Order{Mode: "strip", Actor: "discord:1002", Origin: origin}}
	r.must(r.c.StillMay(t.Context(), run))
	_, err := r.guard.Block(t.Context(), guard.Order{
		Namespace: enforcement.Global, Subject: enforcement.Subject{Scope: enforcement.User, ID: uint64(kael)}, TTL: time.Hour, By: r.author(),
	})
	r.must(err)
	if err := r.c.StillMay(t.Context(), run); err == nil || !strings.Contains(err.Error(), "blocked by now") {
		t.Errorf("the work begins: %v", err)
	}
}
