package commands

import (
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// looked is a corporation at which gatecamp has looked once.
func looked(t *testing.T) *rig {
	t.Helper()
	r := corporation(t)
	r.bound()
	r.report()
	return r
}

func TestMembersAreToldAboutThemselvesInPlainWords(t *testing.T) {
	r := looked(t)
	for who, words := range map[snowflake.ID][]string{
		kael:  {"Everything is in order", "Kael Brandt, state Member", "nothing too many, nothing missing", "Nothing needs to be done"},
		pera:  {"hold a role that Alliance Auth does not give you", "Pera Nightfall, state Guest", "Auth does not give you: <@&2001>, <@&2004>", "ask for its group", "Auth gives you, and you lack: <@&2002>"},
		quill: {"not linked to a user of Alliance Auth", "Your link: none", "link this Discord account under Services"},
		oren:  {"Everything is in order", "As of the last look: <t:"},
	} {
		s := r.run(who, "why")
		if !s.private() {
			t.Error("what concerns one member is shown to everybody")
		}
		want(t, s.text(), words...)
	}
	want(t, r.runIn(pera, "ru", "why").text(), "роль, которую Alliance Auth вам не выдаёт", "статус Guest")
}

func TestWhyTellsWhatWasTakenAndNotByWhom(t *testing.T) {
	r := looked(t)
	r.done(pera, roleMiner, audit.Done, "")
	r.done(pera, roleDirector, audit.Refused, "role_above_bot")
	text := r.run(pera, "why").text()
	want(t, text, "What gatecamp took from you: <t:", "remove <@&2003>")
	wantNot(t, text, "<@&2005>", "system")
}

func TestWhyNeverTellsOfAlertsGrantsOrOtherAccounts(t *testing.T) {
	r := corporation(t)
	r.bound()
	// quill is an earlier account of mako, and holds a privileged role that dara gave.
	_, err := r.db.AddException(t.Context(), storage.Exception{Guild: guildID, Table: storage.Identities, Subject: quill, User: 4, Source: "operator"}, r.author())
	r.must(err)
	r.report()
	_, err = r.db.ApplyLook(t.Context(), storage.Look{Guild: guildID, At: r.now(), Extent: storage.Partial, Found: []storage.Found{{
		SubjectKind: storage.SubjectMember, Subject: quill, Category: audit.LinkedNoPerm.String(), FindingFacts: storage.FindingFacts{Wanted: "report", Layer: "default", GrantedBy: dara, Alerts: []string{"privileged_role"}},
	}}})
	r.must(err)
	text := r.run(quill, "why").text()
	want(t, text, "not linked to a user of Alliance Auth")
	wantNot(t, text, "Mako", "mako", "1004", "1001", "ALERT", "privileged", "earlier")
}

func TestWhyAsksNobodyAndLeavesNoRecord(t *testing.T) {
	r := looked(t)
	before, err := r.db.TrailEntries(t.Context(), guildID, storage.TrailFilter{})
	r.must(err)
	r.guild.lose(storage.ErrGone) // Auth is away, and nobody is to notice
	asked := r.rights.asked
	want(t, r.run(kael, "why").text(), "Everything is in order")
	after, err := r.db.TrailEntries(t.Context(), guildID, storage.TrailFilter{})
	r.must(err)
	if len(after) != len(before) || r.rights.asked != asked || len(r.accepted()) != 0 {
		t.Errorf("%d new entries, rights asked %d times, recorded %q", len(after)-len(before), r.rights.asked-asked, r.accepted())
	}
}

func TestWhyIsAnsweredThreeTimesInTenMinutes(t *testing.T) {
	r := looked(t)
	for range 3 {
		want(t, r.run(kael, "why").text(), "Everything is in order")
	}
	want(t, r.run(kael, "why").text(), "3 times in 10 minutes", "Ask again <t:")
	want(t, r.runIn(kael, "ru", "why").text(), "3 раза за 10 минут")
	want(t, r.run(oren, "why").text(), "Everything is in order")
	if got := r.refused(); len(got) != 0 {
		t.Errorf("recorded refusals %q", got)
	}
	r.pass(10 * time.Minute)
	want(t, r.run(kael, "why").text(), "Everything is in order")
}

func TestBeforeTheFirstLookWhySaysSo(t *testing.T) {
	r := corporation(t)
	want(t, r.run(kael, "why").text(), "cannot say yet", "Ask again in a few minutes")
}

func TestAnAllowanceForgetsWhoDidNotAskLately(t *testing.T) {
	a := allowance{most: 1, within: time.Minute}
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	for i := range mostRecent + 1 {
		if _, ok := a.admit(guildID, snowflake.ID(i+1), now); !ok {
			t.Fatalf("the first question of %d was refused", i+1)
		}
	}
	a.admit(guildID, 9_999_999, now.Add(2*time.Minute))
	if len(a.used) != 1 {
		t.Errorf("%d are remembered, want 1", len(a.used))
	}
}
