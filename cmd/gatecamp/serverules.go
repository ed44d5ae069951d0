package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/bot"
	"gatecamp/enforcement"
	"gatecamp/storage"
)

// ruleStore is what the book of rules needs of the database.
type ruleStore interface {
	storage.RuleStates
	storage.Memory
	Setting(ctx context.Context, guild snowflake.ID, name string) (string, error)
}

// ruleBook keeps the rules of this process as they are written and as people decided, whoever decided it wherever, and counts what
// becomes of them.
//
// A mistake in the file changes nothing. A rule that failed too often is off for every process until a person switches it on.
type ruleBook struct {
	store     ruleStore
	configure func(enforcement.Config) error
	read      func() (enforcement.Config, error) // what is written, as it is now
	path      string                             // of the file; empty: there is none
	trouble   func(code, detail string)
	now       func() time.Time
	log       *slog.Logger

	mu      sync.Mutex // what follows, for note
	counts  map[string]*storage.RuleCount
	failing map[string]struct{} // switched off here, and not stored yet

	written    enforcement.Config // what follows belongs to run, and to whoever begins
	decided    map[string]storage.RuleDecision
	seen       fileState // of the file that is in force
	before     fileState // as the file was at the last tick
	asked      string    // the request that was answered last
	listens    bool      // asked is known
	unreadable bool      // the store could not be read, and the log knows
	flushed    time.Time
}

// fileState tells one version of a file from another.
type fileState struct {
	info os.FileInfo
}

func fileAt(path string) fileState {
	if path == "" {
		return fileState{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info}
}

func (f fileState) same(other fileState) bool {
	if f.info == nil || other.info == nil {
		return f.info == other.info
	}
	return os.SameFile(f.info, other.info) && f.info.Size() == other.info.Size() && f.info.ModTime().Equal(other.info.ModTime())
}

// The names under which a console asks for the rules to be read again, and under which it is answered.
const (
	settingRulesAsked  = "rules_reload"
	memoryRulesInForce = "rules.loaded"
)

// rulesLoaded is what a process says about the rules that it read last.
type rulesLoaded struct {
	Request string    `json:"request"` // that it answers; empty: the file changed, or SIGHUP
	At      time.Time `json:"at"`
	Owner   string    `json:"owner"`
	Rules   int       `json:"rules"`
	Digest  string    `json:"digest"` // of what is written; empty: nothing is
	Problem string    `json:"problem,omitempty"`
}

func newRuleBook(s *server) *ruleBook {
	return &ruleBook{
		store: s.db, path: s.cfg.RulesFile, now: s.now, log: s.log, trouble: s.troubleEverywhere, written: enforcementOf(&s.cfg), seen: fileAt(s.cfg.RulesFile), before: fileAt(s.cfg.RulesFile),
		counts: map[string]*storage.RuleCount{}, failing: map[string]struct{}{},
		configure: func(c enforcement.Config) error { return s.guard.Configure(c) },
		read: func() (enforcement.Config, error) {
			cfg, err := s.cfg.WithRules(s.env)
			if err != nil {
				return enforcement.Config{}, err
			}
			return enforcementOf(&cfg), nil
		},
	}
}

// note is told every event of enforcement. It does not wait.
func (b *ruleBook) note(e enforcement.Event) {
	if e.Rule == "" || e.Rule == "manual" || e.Action == "blocked" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.counts[e.Rule]
	if c == nil {
		c = &storage.RuleCount{Name: e.Rule}
		b.counts[e.Rule] = c
	}
	switch e.Type {
	case enforcement.Shadow:
		c.Shadowed++
		c.Last = later(c.Last, e.At)
	case enforcement.BlockApplied, enforcement.Unscoped:
		c.Fired++
		c.Last = later(c.Last, e.At)
	case enforcement.Alert:
		if e.Action == "rule_off" {
			b.failing[e.Rule] = struct{}{}
			break
		}
		c.Fired++
		c.Last = later(c.Last, e.At)
	case enforcement.EvaluationFailed:
		c.Failures++
		c.Failed = later(c.Failed, e.At)
	case enforcement.Blocked, enforcement.BlockRevoked:
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// How often it is looked for decisions, the file and requests, and how often counts are stored.
const (
	rulesEvery = 300 * time.Millisecond
	countEvery = time.Second
)

// run keeps the rules as they were decided until the context ends, and then stores what was counted.
func (b *ruleBook) run(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(rulesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, end := context.WithTimeout(context.WithoutCancel(ctx), guardLeaves)
			defer end()
			b.switchOff(last)
			b.flush(last)
			return
		case <-hup:
			b.reload(ctx, "")
		case <-tick.C:
			b.turn(ctx)
		}
	}
}

// turn is one look at everything.
func (b *ruleBook) turn(ctx context.Context) {
	if now := fileAt(b.path); !now.same(b.before) {
		b.before = now // it may still be written: wait until it stays as it is
	} else if !now.same(b.seen) {
		b.reload(ctx, "")
	}
	b.switchOff(ctx)
	b.look(ctx)
	b.obey(ctx)
	if now := b.now(); now.Sub(b.flushed) >= countEvery {
		b.flushed = now
		b.flush(ctx)
	}
}

// look takes over what people decided.
func (b *ruleBook) look(ctx context.Context) {
	states, err := b.store.RuleStates(ctx)
	if err != nil {
		if !b.unreadable && ctx.Err() == nil {
			b.log.WarnContext(ctx, "decisions about rules cannot be read; the last ones stay in force", "error", err)
		}
		b.unreadable = true
		return
	}
	b.unreadable = false
	decided := map[string]storage.RuleDecision{}
	for _, s := range states {
		if s.Actor != "" {
			decided[s.Name] = s.RuleDecision
		}
	}
	b.mu.Lock()
	for name := range b.failing {
		d := decided[name]
		d.Name, d.Switch = name, storage.RuleFailed
		decided[name] = d
	}
	b.mu.Unlock()
	if maps.Equal(decided, b.decided) {
		return
	}
	b.decided = decided
	b.apply(ctx)
}

// apply puts what is written and what was decided in force.
func (b *ruleBook) apply(ctx context.Context) {
	c, unknown := decidedOver(b.written, b.decided)
	if len(unknown) > 0 {
		b.log.WarnContext(ctx, "a decision about a rule is not understood; the rule does what is written", "rules", unknown)
	}
	if err := b.configure(c); err != nil {
		b.log.ErrorContext(ctx, "rules as they were decided cannot be put in force; they stay as they were", "error", err)
		b.trouble(bot.TroubleRules, err.Error())
		return
	}
	b.log.InfoContext(ctx, "rules are in force", "rules", len(c.Rules), "decided", len(b.decided))
}

// decidedOver is a configuration with what people decided about its rules; unknown are rules about which something was decided that this
// program does not know.
func decidedOver(c enforcement.Config, decided map[string]storage.RuleDecision) (_ enforcement.Config, unknown []string) {
	changes := map[string]enforcement.RuleChange{}
	for name, d := range decided {
		change := enforcement.RuleChange{TTL: d.TTL}
		switch d.Switch {
		case storage.RuleOn:
			change.Switch = enforcement.SwitchedOn
		case storage.RuleOff, storage.RuleFailed:
			change.Switch = enforcement.SwitchedOff
		case storage.RuleAsWritten:
		}
		if d.Action != "" {
			do, err := enforcement.ParseDo(d.Action)
			if err != nil {
				unknown = append(unknown, name)
			} else {
				change.Do = &do
			}
		}
		changes[name] = change
	}
	slices.Sort(unknown)
	return c.Changed(changes), unknown
}

// reload reads what is written again. A mistake changes nothing, and is told with its place.
func (b *ruleBook) reload(ctx context.Context, request string) {
	b.seen = fileAt(b.path)
	b.before = b.seen
	answer := rulesLoaded{Request: request, At: b.now().UTC()}
	c, err := b.read()
	if err == nil {
		changed, _ := decidedOver(c, b.decided)
		err = changed.Validate()
	}
	if err != nil {
		answer.Problem = describe(err)
		b.log.ErrorContext(ctx, "the rules were read again and have a mistake; they stay as they were", "file", b.path, "error", answer.Problem)
		b.trouble(bot.TroubleRules, answer.Problem)
	} else {
		b.written = c
		b.apply(ctx)
	}
	answer.Rules = len(b.written.Rules)
	if text, err := os.ReadFile(b.path); b.path != "" && err == nil {
		answer.Digest = digestOf(text)
	}
	b.tell(ctx, answer)
}

// digestOf tells one text from another.
func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// tell leaves what became of the rules for consoles.
func (b *ruleBook) tell(ctx context.Context, answer rulesLoaded) {
	value, err := json.Marshal(answer)
	if err == nil {
		err = b.store.Remember(ctx, 0, memoryRulesInForce, value, answer.At)
	}
	if err != nil && ctx.Err() == nil {
		b.log.WarnContext(ctx, "what became of the rules cannot be stored", "error", err)
	}
}

// obey reads the rules again if a console asked for it. What was asked before this process began is done: it has just read them.
func (b *ruleBook) obey(ctx context.Context) {
	asked, err := b.store.Setting(ctx, 0, settingRulesAsked)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return // look tells of a store that is away
	}
	if asked == b.asked || !b.listens {
		b.asked, b.listens = asked, true
		return
	}
	b.asked = asked
	b.reload(ctx, asked)
}

// switchOff stores that rules failed too often, so that every process leaves them off.
func (b *ruleBook) switchOff(ctx context.Context) {
	b.mu.Lock()
	names := slices.Sorted(maps.Keys(b.failing))
	b.mu.Unlock()
	for _, name := range names {
		d := b.decided[name]
		d.Name = name
		d.Switch = storage.RuleFailed
		_, err := b.store.DecideRule(ctx, d, storage.Author{Actor: "rule:" + name, Origin: "rule", Reason: "it failed ten times in a row", At: b.now().UTC()})
		if err != nil {
			if ctx.Err() == nil {
				b.log.WarnContext(ctx, "that a rule failed too often cannot be stored; it is off in this process", "rule", name, "error", err)
			}
			return
		}
		b.trouble(bot.TroubleRule, name)
		b.mu.Lock()
		delete(b.failing, name)
		b.mu.Unlock()
	}
}

// flush stores what was counted; what cannot be stored is counted on.
func (b *ruleBook) flush(ctx context.Context) {
	b.mu.Lock()
	var counts []storage.RuleCount
	for _, c := range b.counts {
		if c.Fired+c.Shadowed+c.Failures > 0 {
			counts = append(counts, *c)
		}
	}
	b.counts = map[string]*storage.RuleCount{}
	b.mu.Unlock()
	err := b.store.CountRules(ctx, counts)
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range counts {
		now := b.counts[c.Name]
		if now == nil {
			now = &storage.RuleCount{Name: c.Name}
			b.counts[c.Name] = now
		}
		now.Fired, now.Shadowed, now.Failures = now.Fired+c.Fired, now.Shadowed+c.Shadowed, now.Failures+c.Failures
		now.Last, now.Failed = later(now.Last, c.Last), later(now.Failed, c.Failed)
	}
}
