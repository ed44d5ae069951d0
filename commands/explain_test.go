package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

func TestAnExplanationSaysWhatWhyWhoAndWhatWouldChangeIt(t *testing.T) {
	r := explainer(t)
	r.policy("surplus_roles: {default: strip, grace: 0s}\n")
	s := r.run(kael, "explain", "member", pera)
	if !s.private() {
		t.Error("an explanation of a member is shown to everybody")
	}
	text := s.text()
	want(t, text,
		"<@1005> Pera Nightfall pera `1005`",
		"holds a managed role that Auth does not give", "`surplus_roles`",
		"the policy's default for the category", "take the managed roles that Auth does not give",
		"<@&2004> `Fleet Commanders`: would go", "<@&2001> `Member`: would go", "<@&2002> `Guest`",
		"remove <@&2004> — held: the first-run lock",
		"Auth gives them the group or state of the role, or the role is taken from them",
		"linked to **Pera Nightfall** (Auth user pera, #5): state Guest, may use Discord",
		"Auth was read <t:", "joined <t:", "policy version 1",
		"➡️ **YES** — the policy's default for the category", "no — an operator's protection",
	)
}

func TestAnExplanationOfAStrangerWithAPrivilegedRoleRaisesTheAlarm(t *testing.T) {
	r := explainer(t)
	text := r.run(kael, "explain", "member", quill).text()
	want(t, text, "ALERT", "a privileged role in the wrong hands", "Auth knows nothing about this Discord account", "<@&2005> `Directors` (privileged)", "/identity add")
}

func TestAnExplanationNamesWhoGrantedTheRole(t *testing.T) {
	r := explainer(t)
	_, err := r.db.ApplyLook(t.Context(), storage.Look{Guild: guildID, At: r.now(), Extent: storage.Partial, Found: []storage.Found{{
		SubjectKind: storage.SubjectMember, Subject: quill, Category: audit.UnknownGuest.String(), FindingFacts: storage.FindingFacts{Wanted: "report", Layer: "default", GrantedBy: mako},
	}}})
	r.must(err)
	want(t, r.run(kael, "explain", "member", quill).text(), "Who gave the roles", "<@1004> `1004`", "the finding is open since")
}

func TestAnExplanationNamesWhoGrantedEachRoleAndWhen(t *testing.T) {
	r := explainer(t)
	at := r.now()
	r.must(r.db.NoteRoleGrants(t.Context(), []storage.RoleGrant{
		{Guild: guildID, Member: pera, Role: roleCommander, Actor: mako, Entry: 1, Added: true, At: at.Add(-3 * time.Hour), Reason: "fleet | tonight"},
		{Guild: guildID, Member: pera, Role: roleCommander, Actor: lira, Entry: 2, Added: true, At: at.Add(-9 * time.Hour)},
		{Guild: guildID, Member: pera, Role: roleMember, Actor: lira, Entry: 3, Added: false, At: at.Add(-time.Hour)},
		{Guild: guildID, Member: pera, Role: roleMiner, Actor: oren, Entry: 4, Added: true, At: at.Add(-time.Hour)},
	}))
	text := r.run(kael, "explain", "member", pera).text()
	want(t, text, "<@&2004>: by <@1004> `1004`, <t:", `fleet \| tonight`)
	wantNot(t, text, "<@1003>", "<@1006>") // an older grant, a role that was taken since, and one that is not held
	wantNot(t, r.run(pera, "why").text(), "1004", "fleet")
}

func TestWhatWasDoneToAMemberIsPartOfTheExplanation(t *testing.T) {
	r := explainer(t)
	r.done(quill, roleMember, audit.Refused, "role_above_bot")
	text := r.run(kael, "explain", "member", quill).text()
	want(t, text, "remove <@&2001>, by `system`: refused by Discord (the role is above the bot's highest role)")
}

// done records that a role was taken, and how that ended.
func (r *rig) done(member, role snowflake.ID, result audit.Result, code string) {
	r.t.Helper()
	lease, err := r.db.AcquireLease(r.t.Context(), 0, storage.Owner{ID: "test"})
	r.must(err)
	a, err := r.db.Intend(r.t.Context(), lease.Fence, storage.Action{
		Guild: guildID, Plan: "abc", Key: member.String() + role.String(), Member: member, Kind: audit.RemoveRole.String(), Role: role, Budget: storage.BudgetCommon, Actor: "system", Intended: r.now(),
	})
	r.must(err)
	r.must(r.db.Settle(r.t.Context(), a.ID, result.String(), code, r.now()))
}

func TestTheContextMenuExplainsToo(t *testing.T) {
	r := explainer(t)
	want(t, r.menu(kael, pera, "en-US", "Explain access").text(), "Access explained", "Pera Nightfall")
	want(t, r.menu(kael, pera, "ru", "Explain access").text(), "Разбор доступа", "управляемую роль, которую Auth не выдаёт")
	want(t, r.menu(mako, pera, "en-US", "Explain access").text(), "aa_discord_audit.view_auditrun")
	if got := r.refused(); len(got) != 1 || got[0] != "permission_denied" {
		t.Errorf("recorded refusals %q", got)
	}
}

func TestWhoIsNoMemberCannotBeExplained(t *testing.T) {
	r := explainer(t)
	r.guild.pic.Members = r.guild.pic.Members[:6]
	want(t, r.run(kael, "explain", "member", quill).text(), "is not a member of this server", "nothing was looked at", "/audit findings")
}

func TestAnExplanationSaysWhenNotEverybodyIsKnownAndAuthIsAway(t *testing.T) {
	r := explainer(t)
	r.guild.pic.Complete = false
	r.guild.lose(storage.ErrGone)
	text := r.run(kael, "explain", "member", pera).text()
	want(t, text, "nothing can be said: Auth cannot be believed", "not every member of the server is known", "Auth could not be read")
	wantNot(t, text, "managed by its name alone") // no name of Auth is known, so this cannot be either
}

func TestAnExplanationOfMoreRolesThanFitIsCutShort(t *testing.T) {
	r := explainer(t)
	var roles, held strings.Builder
	for i := range 40 {
		id := snowflake.ID(5000 + i)
		roles.WriteString(`,{"id":"` + id.String() + `","name":"Squad ` + id.String() + `","position":1}`)
		held.WriteString(`,"` + id.String() + `"`)
	}
	world := strings.Replace(corporationFile, `,"position":5,"permissions":"268435488"}`, `,"position":5,"permissions":"268435488"}`+roles.String(), 1)
	world = strings.Replace(world, `"roles":["2005"]`, `"roles":["2005"`+held.String()+`]`, 1)
	r.behold(world)
	text := r.run(kael, "explain", "member", quill).text()
	want(t, text, "and 40 other roles, never touched", "<@&2005>")
}
