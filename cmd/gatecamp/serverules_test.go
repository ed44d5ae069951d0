package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/enforcement/rulefile"
	"gatecamp/enforcement/rules"
	"gatecamp/storage"
	"gatecamp/storage/sqlite"
	"gatecamp/storage/storagetest"
)

// shelfOfRules is a book of rules over a real store and a file, with a guard that has them in force.
type shelfOfRules struct {
	*ruleBook
	t     *testing.T
	db    *sqlite.Store
	guard *guard.Guard

	inForce  enforcement.Config
	troubles []string
	clock    time.Time
}

func rulesOf(t *testing.T, text string) *shelfOfRules {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatecamp.db")
	storagetest.SQLiteFile(t, path)
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shelfOfRules{t: t, db: db, clock: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	read := func() (enforcement.Config, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return enforcement.Config{}, err
		}
		c, err := rulefile.Parse(text, "rules.yaml")
		return rules.Beside(c), err
	}
	s.ruleBook = &ruleBook{
		store: db, path: file, now: func() time.Time { return s.clock }, log: slog.New(slog.DiscardHandler), read: read,
		trouble:   func(code, detail string) { s.troubles = append(s.troubles, code+": "+detail) },
		configure: func(c enforcement.Config) error { s.inForce = c; return s.guard.Configure(c) },
		counts:    map[string]*storage.RuleCount{}, failing: map[string]struct{}{},
	}
	s.write(text)
	s.seen, s.before = fileAt(file), fileAt(file)
	if s.written, err = read(); err != nil {
		t.Fatal(err)
	}
	if s.guard, err = guard.New(s.written, guard.Parts{Store: db, Emit: s.note, Now: s.now}); err != nil {
		t.Fatal(err)
	}
	if err := s.guard.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.inForce = s.written
	return s
}

// write replaces the file; each version has another size or time.
func (s *shelfOfRules) write(text string) {
	s.t.Helper()
	next := s.path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(next, s.path); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelfOfRules) rule(name string) enforcement.Rule {
	s.t.Helper()
	i := slices.IndexFunc(s.inForce.Rules, func(r enforcement.Rule) bool { return r.Name == name })
	if i < 0 {
		s.t.Fatalf("there is no rule %s", name)
	}
	return s.inForce.Rules[i]
}

func (s *shelfOfRules) decide(d storage.RuleDecision) {
	s.t.Helper()
	if _, err := s.db.DecideRule(s.t.Context(), d, storage.Author{Actor: "console:root", Origin: "console", Reason: "because", At: s.clock}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelfOfRules) state(name string) storage.RuleState {
	s.t.Helper()
	all, err := s.db.RuleStates(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range all {
		if r.Name == name {
			return r
		}
	}
	return storage.RuleState{}
}

func (s *shelfOfRules) happens(kind string, user uint64, n int) {
	for range n {
		s.clock = s.clock.Add(time.Second)
		s.guard.Record(s.t.Context(), &enforcement.Incident{Type: kind, Actor: enforcement.Actor{User: user, Guild: 900}})
	}
}

const oneRule = "rules: [{name: mine, severity: 3, on: [x], count: {by: [user], threshold: 3, window: 10m}, action: {do: observe}}]\n"

func TestWhatPeopleDecidedIsInForceAfterOneLookAndCountsGoOn(t *testing.T) {
	s := rulesOf(t, oneRule)
	s.happens("x", 7, 2)
	s.decide(storage.RuleDecision{Name: "mine", Switch: storage.RuleOn, Action: "temp_block", TTL: time.Hour})
	s.decide(storage.RuleDecision{Name: "join_wave", Switch: storage.RuleOff})
	s.turn(t.Context())
	if r := s.rule("mine"); r.Action.Do != enforcement.TempBlock || r.Action.TTL != time.Hour || !s.rule("join_wave").Off {
		t.Errorf("in force: %+v, %+v", r, s.rule("join_wave"))
	}
	s.happens("x", 7, 1) // the third: what was counted before stays
	b, blocked := s.guard.Find(enforcement.Global, enforcement.Subject{Scope: enforcement.User, ID: 7})
	if !blocked || b.Remaining(s.clock) != time.Hour {
		t.Errorf("block %+v, %v", b, blocked)
	}
	s.decide(storage.RuleDecision{Name: "mine", Switch: storage.RuleOff})
	s.turn(t.Context())
	s.happens("x", 8, 9)
	if _, blocked := s.guard.Find(enforcement.Global, enforcement.Subject{Scope: enforcement.User, ID: 8}); blocked {
		t.Error("a rule that is off blocks")
	}
	if _, still := s.guard.Find(enforcement.Global, enforcement.Subject{Scope: enforcement.User, ID: 7}); !still {
		t.Error("switching a rule off lifted its blocks")
	}
}

func TestTheFileIsReadAgainWhenItChangesAndAMistakeChangesNothing(t *testing.T) {
	s := rulesOf(t, oneRule)
	s.happens("x", 7, 2)
	s.write("rules: [{name: mine, on: [x], count: {by: [colour], threshold: 1, window: 10m}, action: {do: temp_block}}]\n")
	s.turn(t.Context())
	if len(s.troubles) != 0 {
		t.Errorf("a file that may still be written was read: %v", s.troubles)
	}
	for range 3 {
		s.turn(t.Context())
	}
	if len(s.troubles) != 1 || !strings.Contains(s.troubles[0], "rules[0].count.by[0]") || s.rule("mine").Action.Do != enforcement.Observe {
		t.Errorf("after a mistake: troubles %v, rule %+v", s.troubles, s.rule("mine"))
	}
	s.write(strings.Replace(oneRule, "observe", "temp_block", 1))
	s.turn(t.Context())
	s.turn(t.Context())
	if s.rule("mine").Action.Do != enforcement.TempBlock || len(s.troubles) != 1 {
		t.Errorf("after the mending: %+v, troubles %v", s.rule("mine"), s.troubles)
	}
	s.happens("x", 7, 1)
	if _, blocked := s.guard.Find(enforcement.Global, enforcement.Subject{Scope: enforcement.User, ID: 7}); !blocked {
		t.Error("what was counted before the file was read again is lost")
	}
	s.write("rules: []\n")
	s.turn(t.Context())
	s.turn(t.Context())
	if len(s.inForce.Rules) != len(rules.All()) {
		t.Errorf("%d rules without any of its own", len(s.inForce.Rules))
	}
}

func TestAConsoleIsAnsweredWhenItAsksForTheRulesToBeReadAgain(t *testing.T) {
	s := rulesOf(t, oneRule)
	look := &session{db: s.db}
	ask := func(request string) rulesLoaded {
		t.Helper()
		if err := s.db.SetSetting(t.Context(), 0, settingRulesAsked, request, storage.Author{Actor: "console:root", Origin: "console", Reason: "r", At: s.clock}); err != nil {
			t.Fatal(err)
		}
		s.turn(t.Context())
		l, err := look.loaded(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	s.turn(t.Context()) // nobody has asked
	if l := ask("1"); l.Request != "1" || l.Rules != len(rules.All())+1 || l.Problem != "" || l.Digest == "" {
		t.Errorf("answer %+v", l)
	}
	s.write("rules: [{name: mine, severity: 99}]\n")
	if l := ask("2"); l.Request != "2" || !strings.Contains(l.Problem, "rules[0].severity") {
		t.Errorf("answer about a mistake %+v", l)
	}
	if s.rule("mine").Severity != 3 {
		t.Errorf("a mistake changed the rules: %+v", s.rule("mine"))
	}
}

func TestARuleThatKeepsFailingIsOffForEveryProcessUntilAPersonSwitchesItOn(t *testing.T) {
	s := rulesOf(t, "rules: [{name: broken, on: [x], crash: true, action: {do: alert}}, {name: mine, on: [x], action: {do: alert}}]\n")
	s.happens("x", 7, 9)
	s.happens("y", 7, 5) // does not concern it, and mends nothing
	s.turn(t.Context())
	if s.rule("broken").Off {
		t.Fatal("off after nine failures")
	}
	s.happens("x", 7, 3)
	s.turn(t.Context())
	s.clock = s.clock.Add(time.Minute)
	s.turn(t.Context())
	if len(s.troubles) != 1 || s.troubles[0] != "rule_failed: broken" {
		t.Errorf("people are told %v", s.troubles)
	}
	if r := s.state("broken"); r.Switch != storage.RuleFailed || r.Failures != 10 || r.Actor != "rule:broken" || !s.rule("broken").Off || s.rule("mine").Off {
		t.Errorf("state %+v, in force %+v", r, s.rule("broken"))
	}
	s.write("rules: [{name: broken, on: [x], action: {do: alert}}]\n")
	s.turn(t.Context())
	s.turn(t.Context())
	if !s.rule("broken").Off {
		t.Error("it is on again because the file was read again")
	}
	s.decide(storage.RuleDecision{Name: "broken", Switch: storage.RuleOn})
	s.turn(t.Context())
	s.happens("x", 7, 1)
	s.clock = s.clock.Add(time.Minute)
	s.turn(t.Context())
	if r := s.state("broken"); s.rule("broken").Off || r.Failures != 0 || r.Fired != 1 {
		t.Errorf("after a person switched it on: %+v, state %+v", s.rule("broken"), r)
	}
}

func TestWhatRulesDidIsCountedAndNothingIsLostWhileTheStoreIsAway(t *testing.T) {
	s := rulesOf(t, oneRule)
	away := &awayStore{ruleStore: s.db, away: true}
	s.store = away
	at := s.clock
	for _, e := range []enforcement.Event{
		{Type: enforcement.Shadow, Rule: "mine", Action: "observe", At: at.Add(time.Second)},
		{Type: enforcement.Shadow, Rule: "mine", Action: "blocked", At: at}, // a block of the rule, met in shadow
		{Type: enforcement.Blocked, Rule: "mine", Action: "blocked", At: at},
		{Type: enforcement.BlockApplied, Rule: "mine", At: at},
		{Type: enforcement.BlockApplied, Rule: "manual", At: at},
		{Type: enforcement.Alert, Rule: "mine", Action: "alert", At: at},
		{Type: enforcement.EvaluationFailed, Rule: "mine", At: at},
		{Type: enforcement.EvaluationFailed, At: at},
	} {
		s.note(e)
	}
	s.flush(t.Context())
	away.away = false
	s.flush(t.Context())
	s.flush(t.Context())
	if r := s.state("mine"); r.Fired != 2 || r.Shadowed != 1 || r.Failures != 1 || !r.Last.Equal(at.Add(time.Second)) || !r.Failed.Equal(at) {
		t.Errorf("state %+v", r)
	}
	if r := s.state("manual"); r.Name != "" {
		t.Errorf("a person's block counts as a rule's: %+v", r)
	}
}

// awayStore fails while it is away.
type awayStore struct {
	ruleStore
	away bool
}

func (a *awayStore) CountRules(ctx context.Context, counts []storage.RuleCount) error {
	if a.away {
		return errors.New("away")
	}
	return a.ruleStore.CountRules(ctx, counts)
}
