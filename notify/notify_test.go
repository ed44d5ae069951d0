package notify

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/storage"
)

var began = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

func in(t interface {
	Helper()
	Fatal(...any)
}, locale string,
) *i18n.Printer {
	t.Helper()
	c, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c.For(locale)
}

// acted is a run that took five roles, and whose kicks a brake held.
func acted() Run {
	r := Run{
		ID: 7, Kind: "live", State: storage.Succeeded, Started: began, Ended: began.Add(12300 * time.Millisecond), Members: 40, Complete: true,
		Categories: map[string]int{"unknown_guest": 4, "surplus_roles": 2, "in_order": 34}, Decided: map[string]int{"strip": 5, "strip_kick": 1},
		Opened: 6, Alerts: 1, Roles: map[snowflake.ID]string{900000000000000012: "Dir`ectors"},
		Holds: []audit.Hold{
			{By: audit.By{Dimension: audit.Kicks}, Asked: 5, Allowed: 3},
			{By: audit.By{Dimension: audit.OneRole, Role: 900000000000000012}, Asked: 9, Allowed: 2, Window: audit.PerDay},
		},
	}
	r.Summary = audit.Summary{
		Guild: 900000000000000001, Digest: "0123456789abcdef", Planned: map[string]int{"remove_role": 6, "kick": 5}, Held: map[string]int{"kicks": 5},
		Results: map[string]int{"done": 5, "refused": 1}, Codes: map[string]int{"role_above_bot": 1}, Members: 4,
	}
	return r
}

func TestAMessageSaysWhatWasDoneHeldAndWhy(t *testing.T) {
	got := Render(in(t, "en-US"), acted())
	want := Message{
		Title: "Run 7 succeeded", Tone: Held, At: began.Add(12300 * time.Millisecond),
		Text: "5 changes were made, to 4 members. A brake held a part of the plan: look at it before you reset the brake.",
		Fields: []Field{
			{"Members", "4 strangers to Auth\n2 with a role too many\n34 in order"},
			{"Findings", "6 new, 0 changed, 0 gone\nwanted: 5 strips, 1 strip and kick\nALERT: 1 privileged role in the wrong hands"},
			{"Done", "planned: 5 kicks, 6 roles removed\ncame to: 5 done, 1 refused"},
			{"Held", "kicks: 5 asked, 3 allowed in one run\nholders of the role `Dir'ectors`: 9 asked, 2 allowed in 24 hours"},
			{"Not done", "1 × the role is above the bot's highest role"},
			{"Sources", "Auth: healthy\nDiscord: every one of 40 members seen"},
		},
		Footer: "guild 900000000000000001 · took 12 seconds · plan 0123456789ab",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestAMessageIsToldInTheGuildsLanguage(t *testing.T) {
	got := Render(in(t, "ru"), acted())
	want := Message{
		Title: "Проверка 7 завершена", Tone: Held, At: began.Add(12300 * time.Millisecond),
		Text: "Сделано 5 изменений, у 4 участников. Предохранитель задержал часть плана: посмотрите её, прежде чем сбрасывать предохранитель.",
		Fields: []Field{
			{"Участники", "4 посторонних для Auth\n2 с лишней ролью\n34 в порядке"},
			{"Расхождения", "новых 6, изменилось 0, исчезло 0\nпо политике: снять роли — 5, снять роли и исключить — 1\nТРЕВОГА: 1 привилегированная роль не в тех руках"},
			{"Сделано", "в плане: 5 киков, 6 снятых ролей\nвышло: 5 сделано, 1 отказ"},
			{"Задержано", "кики: нужно 5, можно 3 за одну проверку\nучастники с ролью `Dir'ectors`: нужно 9, можно 2 за 24 часа"},
			{"Не сделано", "1 × роль стоит выше высшей роли бота"},
			{"Источники", "Auth: в порядке\nDiscord: виден каждый, всего 40 участников"},
		},
		Footer: "сервер 900000000000000001 · длилась 12 секунд · план 0123456789ab",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestTheFirstSentenceAndTheToneAgree(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Run)
		tone   Tone
		says   string
	}{
		"all done":         {func(r *Run) { r.Holds, r.Summary.Held = nil, nil }, Acted, "5 changes were made, to 4 members."},
		"a brake held":     {func(*Run) {}, Held, "A brake held"},
		"nothing to do":    {func(r *Run) { r.Holds, r.Summary = nil, audit.Summary{} }, Quiet, "Nothing had to be done"},
		"only looked":      {func(r *Run) { r.Holds, r.Summary.Results, r.DryRun = nil, nil, true }, Quiet, "It only looked"},
		"locked":           {func(r *Run) { r.Holds, r.Summary.Results, r.Summary.Held = nil, nil, map[string]int{"lock": 11} }, Held, "Nothing was changed."},
		"Auth blind":       {func(r *Run) { blind(r) }, Held, "nobody was judged"},
		"Auth doubtful":    {func(r *Run) { r.Auth.Health = audit.Doubtful; r.Summary.Results = nil }, Held, "reported only"},
		"a part was seen":  {func(r *Run) { r.Complete = false }, Held, "Not every member was seen"},
		"some went wrong":  {func(r *Run) { r.State = storage.CompletedWithErrors }, Trouble, "5 changes were made"},
		"the disk is full": {func(r *Run) { r.State, r.Error = storage.Failed, "database_full" }, Trouble, "because the database is full"},
		"collateral loss":  {func(r *Run) { r.Summary.Results = map[string]int{"collateral": 1} }, Trouble, "1 change was made"},
	} {
		t.Run(name, func(t *testing.T) {
			r := acted()
			c.change(&r)
			m := Render(in(t, "en-US"), r)
			if m.Tone != c.tone || !strings.Contains(m.Text, c.says) {
				t.Errorf("%s: %q, want %s and %q", m.Tone, m.Text, c.tone, c.says)
			}
		})
	}
}

func blind(r *Run) {
	r.State, r.Error, r.Holds, r.Summary = storage.CompletedWithErrors, "auth_blind", nil, audit.Summary{}
	r.Auth = audit.JudgeAuth(nil, nil, audit.Thresholds{})
}

func TestAnOutageIsNamed(t *testing.T) {
	r := acted()
	blind(&r)
	text := fmt.Sprint(Render(in(t, "en-US"), r))
	for _, want := range []string{"Auth: blind", "it could not be read", "no finding was opened or closed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing: %s", want, text)
		}
	}
}

// Wherever a text comes from, nobody's id, no mention and no credential gets through.
func TestNoPersonAndNoSecretIsInAMessage(t *testing.T) {
	id := regexp.MustCompile(`\d{15,20}`)
	rapid.Check(t, func(t *rapid.T) {
		person := rapid.Uint64Range(1e15, 1e19).Draw(t, "person")
		leak := rapid.SampledFrom([]string{
			"%d", "<@%d>", "<@!%d>", "member %d left", "http://x/api/webhooks/%d/t0ken", "lost:%d,900000000000000012", "https://discord.com/users/%d",
		}).Draw(t, "leak")
		text := fmt.Sprintf(leak, person)
		r := acted()
		r.Error, r.State = text, storage.Failed
		r.Roles[900000000000000012] = text + strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "long"))
		r.Summary.Codes[text], r.Summary.Planned[text], r.Categories[text] = 1, 2, 3
		m := Render(in(t, "en-US"), r)
		var all strings.Builder
		all.WriteString(m.Title + m.Text + m.Footer)
		for _, f := range m.Fields {
			all.WriteString(f.Name + f.Value)
			if utf8.RuneCountInString(f.Value) > maxField {
				t.Errorf("field %s has %d characters", f.Name, utf8.RuneCountInString(f.Value))
			}
		}
		for _, found := range id.FindAllString(all.String(), -1) {
			if found != "900000000000000001" && found != "900000000000000012" {
				t.Errorf("%s is in the message: %s", found, all.String())
			}
		}
		if strings.Contains(all.String(), "t0ken") || strings.Contains(all.String(), "<@") || strings.Contains(all.String(), "://") {
			t.Errorf("a credential or a mention is in the message: %s", all.String())
		}
	})
}

func TestAMessageFitsWhatDiscordTakes(t *testing.T) {
	r := acted()
	for i := range 400 {
		r.Summary.Codes[fmt.Sprintf("code_number_%d", i)] = i
	}
	for _, f := range Render(in(t, "en-US"), r).Fields {
		if n := utf8.RuneCountInString(f.Value); n > maxField || n == 0 {
			t.Errorf("field %s has %d characters", f.Name, n)
		}
	}
}
