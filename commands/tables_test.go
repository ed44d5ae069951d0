package commands

import (
	"errors"
	"testing"
	"time"

	"gatecamp/audit"
	"gatecamp/storage"
)

// operator is a corporation in which kael may change all five tables.
func operator(t *testing.T) *rig {
	t.Helper()
	r := looked(t)
	r.grant(kael, audit.RightManageExemptions, audit.RightManageProtected, audit.RightManageBots, audit.RightManageOverrides, audit.RightManageIdentities)
	return r
}

// entries are those of a table that are in force.
func (r *rig) entries(of storage.Table) (list []storage.Exception) {
	r.t.Helper()
	all, err := r.db.ExceptionsAt(r.t.Context(), guildID, r.now().UTC())
	r.must(err)
	for _, e := range all {
		if e.Table == of && e.Source != audit.Historical.String() {
			list = append(list, e)
		}
	}
	return list
}

func TestEachOfTheFiveTablesIsAddedToListedAndRemovedFrom(t *testing.T) {
	for _, c := range []struct {
		table   storage.Table
		family  string
		subject string
		id      any
		options []any
		says    []string
	}{
		{storage.Exemptions, "exempt", "role", roleMember, []any{"duration", "7d"}, []string{"<@&2001> `2001` is never managed until <t:"}},
		{storage.Protections, "protect", "member", quill, nil, []string{"<@1007> `1007` is never acted on"}},
		{storage.BotAccounts, "botaccount", "member", quill, nil, []string{"<@1007> `1007` counts as a bot"}},
		{storage.Overrides, "override", "member", quill, []any{"action", "strip", "once", true}, []string{"<@1007> `1007`: take the managed roles that Auth does not give, instead of what the policy says (once)"}},
		{storage.Identities, "identity", "member", quill, []any{"user", "Mako"}, []string{"<@1007> `1007` belongs to Auth user #4"}},
	} {
		t.Run(c.family, func(t *testing.T) {
			r := operator(t)
			given := append([]any{c.subject, c.id, "reason", "because | of *this*"}, c.options...)
			s := r.run(kael, c.family+" add", given...)
			if !s.private() {
				t.Error("an entry about somebody is shown to everybody")
			}
			want(t, s.text(), append(c.says, "Added", `because \| of \*this\*`, "entry ")...)
			rows := r.entries(c.table)
			if len(rows) != 1 || rows[0].Actor != "discord:1002" || rows[0].Reason != "because | of *this*" {
				t.Fatalf("stored %+v", rows)
			}
			want(t, r.run(kael, c.family+" add", given...).text(), "stands there already", "<@1002>", "/"+c.family+" remove")
			list := r.run(kael, c.family+" list", "format", "csv")
			want(t, list.text(), append(c.says, "<@1002>")...)
			if len(list.Attachments) != 1 || list.Attachments[0].Filename != c.family+".csv" {
				t.Errorf("attached %+v", list.Attachments)
			}
			want(t, r.runIn(kael, "ru", c.family+" list").text(), "Действуют: ")
			want(t, r.run(kael, c.family+" remove", c.subject, c.id, "reason", "over").text(), "Removed", "over")
			if rows := r.entries(c.table); len(rows) != 0 {
				t.Errorf("still in force: %+v", rows)
			}
			want(t, r.run(kael, c.family+" remove", c.subject, c.id, "reason", "over").text(), "No entry about", "/"+c.family+" list")
			want(t, r.run(kael, c.family+" list").text(), "There are none")
			if got := r.accepted(); len(got) != 2 || got[0] != c.family+" remove" || got[1] != c.family+" add" {
				t.Errorf("recorded %q", got)
			}
		})
	}
}

func TestNobodyDecidesAboutTheirOwnAccountAlone(t *testing.T) {
	r := operator(t)
	_, err := r.db.AddException(t.Context(), storage.Exception{Guild: guildID, Table: storage.Identities, Subject: quill, User: 2, Source: "operator"}, r.author())
	r.must(err) // quill is another account of kael
	for name, c := range map[string][]any{
		"protect":     {"protect add", "member", kael},
		"an old one":  {"protect add", "member", quill},
		"botaccount":  {"botaccount add", "member", kael},
		"override":    {"override add", "member", kael, "action", "report"},
		"identity":    {"identity add", "member", oren, "user", "2"},
		"his link":    {"identity remove", "member", quill},
		"his number":  {"identity add", "member", kael, "user", "4"},
		"by his main": {"identity add", "member", oren, "user", "Kael Brandt"},
	} {
		t.Run(name, func(t *testing.T) {
			text := r.run(kael, c[0].(string), append(c[1:], "reason", "it is me")...).text()
			want(t, text, "your own account", "nothing was changed", "Ask somebody else")
		})
	}
	if n := len(r.entries(storage.Protections)) + len(r.entries(storage.BotAccounts)) + len(r.entries(storage.Overrides)); n != 0 || len(r.entries(storage.Identities)) != 1 {
		t.Errorf("%d entries were made", n)
	}
	if got := r.refused(); len(got) == 0 || got[0] != "second_person_needed" {
		t.Errorf("recorded %q", got)
	}
	want(t, r.run(dara, "protect add", "member", kael, "reason", "he is on holiday").text(), "is never acted on")
}

func TestNobodyExemptsARoleThatIsNotBelowTheirOwn(t *testing.T) {
	r := operator(t)
	for _, role := range []any{roleDirector, roleCommander} {
		want(t, r.run(kael, "exempt add", "role", role, "reason", "handed out by hand").text(), "not below your own highest role", "nothing was changed")
	}
	want(t, r.run(kael, "exempt add", "role", roleMiner, "reason", "handed out by hand").text(), "is never managed")
	want(t, r.run(dara, "exempt add", "role", roleDirector, "reason", "mine").text(), "is never managed") // the owner
	if got := len(r.entries(storage.Exemptions)); got != 2 {
		t.Errorf("%d roles are exempt, want 2", got)
	}
	want(t, r.run(dara, "exempt add", "role", guildID, "reason", "all").text(), "@everyone")
}

func TestEachTableHasARightOfItsOwnAndWaitsForAuth(t *testing.T) {
	r := looked(t)
	for family, right := range map[string]string{
		"exempt": "manage_role_exception", "protect": "manage_protected_member", "botaccount": "manage_bot_account_uid", "override": "manage_finding_override",
		"identity": "manage_discord_identity",
	} {
		options := []any{"member", quill, "reason", "because"}
		switch family {
		case "exempt":
			options = []any{"role", roleMember, "reason", "because"}
		case "override":
			options = append(options, "action", "report")
		case "identity":
			options = append(options, "user", "4")
		}
		want(t, r.run(mako, family+" add", options...).text(), right, "nothing was done")
		want(t, r.run(mako, family+" list").text(), right, "nothing was done")
	}
	r.grant(mako, audit.RightManageProtected)
	r.guild.lose(errors.New("away"))
	want(t, r.run(mako, "protect add", "member", quill, "reason", "because").text(), "Alliance Auth cannot be asked")
	want(t, r.run(mako, "protect list").text(), "There are none")
}

func TestWrongAnswersAreToldWithWhatWouldBeRight(t *testing.T) {
	r := operator(t)
	for _, c := range []struct {
		says    string
		command string
		options []any
	}{
		{"`soon` is no time that is still to come", "protect add", []any{"member", quill, "reason", "why not", "duration", "soon"}},
		{"`2020-01-01` is no time that is still to come", "protect add", []any{"member", quill, "reason", "why not", "duration", "2020-01-01"}},
		{"has no user `nobody`", "identity add", []any{"member", quill, "reason", "why not", "user", "nobody"}},
		{"has no user `99`", "identity add", []any{"member", quill, "reason", "why not", "user", "99"}},
	} {
		want(t, r.run(kael, c.command, c.options...).text(), c.says, "nothing was changed")
	}
}

func TestUsersOfAuthAreOfferedByMainNameAndNumber(t *testing.T) {
	r := operator(t)
	for typed, want := range map[string]string{"ma": "4", "KAEL": "2", "pera n": "5", "6": "6", "#1": "1"} {
		choices := r.typing(kael, "identity add", "user", "user", typed).Choices
		if len(choices) != 1 || choices[0].Value != want {
			t.Errorf("%q offers %v, want user %s", typed, choices, want)
		}
	}
	if got := r.typing(kael, "identity add", "user", "user", "").Choices; len(got) != 6 || got[0].Name != "Dara Asche (dara) #1" {
		t.Errorf("nothing typed offers %v", got)
	}
	if got := r.typing(lira, "identity add", "user", "user", "").Choices; len(got) != 0 {
		t.Errorf("somebody without the right is offered %v", got)
	}
}

func TestAnEndIsReadAsPeopleWriteIt(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"12h": now.Add(12 * time.Hour), "30m": now.Add(30 * time.Minute), "7d": now.AddDate(0, 0, 7), "4w": now.AddDate(0, 0, 28),
		"2026-12-31": time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), "2026-12-31 18:00": time.Date(2026, 12, 31, 18, 0, 0, 0, time.UTC),
		"2026-12-31T18:00:00+02:00": time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC),
	} {
		if got, ok := endOf(text, now); !ok || !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "soon", "-1d", "99999d", "1000000h", "d", "7 days"} {
		if got, ok := endOf(text, now); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
