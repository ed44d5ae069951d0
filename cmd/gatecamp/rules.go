package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/enforcement/rulefile"
	"gatecamp/enforcement/rules"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) rulesCommands() *cobra.Command {
	return family("rules", "what counts as an offence, and what is done about it", c.rulesList(), c.rulesTest(), c.rulesEnable(), c.rulesDisable(), c.rulesReload())
}

// anywhere makes the body of a command that is about no guild: rules are the same for all. The attempt is recorded like any change.
func (c *console) anywhere(command string, body func(ctx context.Context, s *session, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		ctx := cmd.Context()
		s, err := c.open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.db.Close()) }()
		err = body(ctx, s, args)
		if command == "" || err != nil {
			return err
		}
		v := s.invocation(command, redactArgs(cmd, args))
		v.Accepted = true
		_, err = s.db.Accept(context.WithoutCancel(ctx), v)
		return err
	}
}

// ruled is a rule as it is in force, with what is known of it.
type ruled struct {
	enforcement.Rule
	fires string // what a person does that sets it off; empty: not a built-in
	state storage.RuleState
}

// ruled are all rules, built-ins first, then as written, with what people decided.
func (s *session) ruled(ctx context.Context) (all []ruled, c enforcement.Config, err error) {
	states, err := s.db.RuleStates(ctx)
	if err != nil {
		return nil, c, err
	}
	known, decided := map[string]storage.RuleState{}, map[string]storage.RuleDecision{}
	for _, r := range states {
		known[r.Name] = r
		if r.Actor != "" {
			decided[r.Name] = r.RuleDecision
		}
	}
	c = enforcementOf(&s.cfg)
	now, _ := decidedOver(c, decided)
	for _, r := range now.Rules {
		one := ruled{Rule: r, state: known[r.Name]}
		for _, b := range rules.All() {
			if b.Name == r.Name {
				one.fires = b.Fires
			}
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b ruled) int { return boolOrder(a.fires == "", b.fires == "") })
	return all, c, nil
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// counts is what a rule counts, in words.
func (r *ruled) counts() string {
	n := r.Count
	switch {
	case r.GateOf != "":
		return "what " + r.GateOf + " counts"
	case n == nil:
		return "every one"
	}
	by := make([]string, len(n.By))
	for i, s := range n.By {
		by[i] = s.String()
	}
	text := fmt.Sprintf("%d in %s by %s", n.Threshold, shortDuration(n.Window), strings.Join(by, " and "))
	if n.Distinct != "" {
		text = fmt.Sprintf("%d values of %s in %s by %s", n.Threshold, n.Distinct, shortDuration(n.Window), strings.Join(by, " and "))
	}
	if n.Fixed {
		text += " (fixed window)"
	}
	return text
}

// shortDuration is a duration without parts that are nothing: "10m", not "10m0s".
func shortDuration(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// does is what a rule does when it fires, in words.
func (r *ruled) does(c *enforcement.Config) string {
	text := r.Action.Do.String()
	if !r.Action.Do.Blocks() {
		return text
	}
	scopes := make([]string, 0, 2)
	for _, s := range r.Targets() {
		scopes = append(scopes, s.String())
	}
	text += " " + strings.Join(scopes, "+")
	if len(r.Escalate) == 0 {
		return text + " " + lifetimeWord(r.Lifetime(c, 0))
	}
	steps := make([]string, len(r.Escalate))
	for i, d := range r.Escalate {
		steps[i] = lifetimeWord(d)
	}
	return text + " " + strings.Join(steps, ", ")
}

func lifetimeWord(d time.Duration) string {
	if d == enforcement.Forever {
		return "permanent"
	}
	return shortDuration(d)
}

// on says whether a rule looks, and who decided it.
func (r *ruled) on() string {
	switch {
	case r.state.Switch == storage.RuleFailed:
		return "off: it failed too often"
	case r.state.Switch == storage.RuleOff:
		return "off by " + r.state.Actor
	case r.Off:
		return "off"
	case r.state.Switch == storage.RuleOn:
		return "on by " + r.state.Actor
	}
	return "on"
}

func stageWord(s enforcement.Stage) string {
	if s == enforcement.AtIngress {
		return "ingress"
	}
	return "event"
}

// ruleLine is a rule for programs.
type ruleLine struct {
	Rule     string   `json:"rule"`
	BuiltIn  bool     `json:"built_in"`
	Severity int      `json:"severity"`
	Stage    string   `json:"stage"`
	On       []string `json:"on"`
	Counts   string   `json:"counts"`
	Do       string   `json:"do"`
	Does     string   `json:"does"`
	Looks    bool     `json:"looks"`
	Switch   string   `json:"switch"`
	Actor    string   `json:"actor,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Fired    int64    `json:"fired"`
	Shadowed int64    `json:"shadowed"`
	Last     any      `json:"last"`
	Failures int64    `json:"failures"`
	Fires    string   `json:"fires,omitempty"`
}

func (c *console) rulesList() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "list", Short: "every rule: what sets it off, what it does, and how often it did",
		Long: `Lists the rules that gatecamp brings and those of GATECAMP_RULES_FILE, as people decided about them since. WOULD HAVE counts how often a
rule that only observes was set off: what it would have done is in the events of enforcement. The counts are those of all processes,
and are stored every second.`,
		Example: "  gatecamp rules list\n  gatecamp rules list --json | jq 'select(.shadowed > 0)'",
	}
	cmd.RunE = c.anywhere("", func(ctx context.Context, s *session, _ []string) error {
		all, written, err := s.ruled(ctx)
		if err != nil {
			return err
		}
		l := &list{columns: []string{"rule", "state", "stage", "does", "counts", "did", "would have", "last", "failures", "set off by"}}
		for i := range all {
			r := &all[i]
			fires := r.fires
			if fires == "" {
				fires = strings.Join(r.On, ", ")
			}
			line := ruleLine{
				Rule: r.Name, BuiltIn: r.fires != "", Severity: r.Severity, Stage: stageWord(r.Stage), On: slices.Concat([]string{}, r.On), Counts: r.counts(), Do: r.Action.Do.String(),
				Does: r.does(&written), Looks: !r.Off, Switch: r.state.Switch.String(), Actor: r.state.Actor, Reason: r.state.Reason, Fired: r.state.Fired, Shadowed: r.state.Shadowed,
				Last: reconcile.LineTime(r.state.Last), Failures: r.state.Failures, Fires: r.fires,
			}
			l.add(line, r.Name, r.on(), line.Stage, line.Does, line.Counts, fmt.Sprint(line.Fired), fmt.Sprint(line.Shadowed), eveTime(r.state.Last), fmt.Sprint(line.Failures), fires)
		}
		if err := f.print(s.out, l); err != nil || f.json || f.csv {
			return err
		}
		return s.sayLoaded(ctx)
	})
	f.flags(cmd)
	return noted(cmd, noteJSON, `one object a rule: {"rule", "built_in", "severity", "stage": "event"|"ingress", "on": [types of incident; empty: all], "counts", "do", "does", "looks": is it on, "switch": "as_written"|"on"|"off"|"failed", "actor", "reason", "fired", "shadowed", "last": time|null, "failures", "fires"}`)
}

// sayLoaded says so if the process that serves could not take the rules as they are written.
func (s *session) sayLoaded(ctx context.Context) error {
	loaded, err := s.loaded(ctx)
	if errors.Is(err, storage.ErrNotFound) || err == nil && loaded.Problem == "" {
		return nil
	}
	if err != nil {
		return err
	}
	s.say("\nThe process that serves found a mistake in its rules at %s EVE time and goes on with those from before:\n%s", eveTime(loaded.At), visibleText(loaded.Problem))
	return nil
}

// loaded is what a process that serves said last about its rules.
func (s *session) loaded(ctx context.Context) (l rulesLoaded, err error) {
	value, _, err := s.db.Recall(ctx, 0, memoryRulesInForce)
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(value, &l)
}

func (c *console) rulesEnable() *cobra.Command {
	var reason, do, ttl string
	cmd := &cobra.Command{
		Use: "enable RULE", Short: "have a rule look, and say what it does when it fires",
		Long: `Switches a rule on, in every process within a second. With --do it does that in place of what is written:

  observe        tells what it would do, in the events of enforcement; how every rule ships
  alert          tells, and posts a line in the admin channel
  temp_block     blocks for a while: gatecamp does nothing for the blocked; roles and membership are not touched
  persist_block  blocks until a person lifts it
  block          either of the two, by the rule's severity
  contain        takes every role with a privileged permission from that one moderator, if a guild allows it

Look at ` + "`gatecamp rules list`" + ` first: it says how often the rule would have done something. A rule that failed too often is switched on again
by this, and its failures are forgotten.`,
		Example: `  gatecamp rules enable command_flood --do temp_block --reason "observed for two weeks, only spammers"
  gatecamp rules enable distinct_targets --do alert --reason "try it"`,
		Args: cobra.ExactArgs(1),
	}
	cmd.RunE = c.anywhere("rules enable", func(ctx context.Context, s *session, args []string) error {
		return s.decideRule(ctx, storage.RuleDecision{Name: args[0], Switch: storage.RuleOn, Action: do}, ttl, reason)
	})
	cmd.Flags().StringVar(&do, "do", "", "what it does: `ACTION`, one of the above; without it what it does now")
	cmd.Flags().StringVar(&ttl, "ttl", "", "how long its blocks last, in place of lifetime and ladder: `DURATION`, such as 30m or 7d")
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *console) rulesDisable() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "disable RULE", Short: "have a rule look no more",
		Long: `Switches a rule off, in every process within a second, until somebody switches it on. Blocks that it made stay: lift them one by one.
What it has counted is kept, and goes on where it was if it is switched on soon.`,
		Example: `  gatecamp rules disable join_wave --reason "we have a recruitment drive"`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = c.anywhere("rules disable", func(ctx context.Context, s *session, args []string) error {
		return s.decideRule(ctx, storage.RuleDecision{Name: args[0], Switch: storage.RuleOff}, "", reason)
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// decideRule stores what somebody decided about a rule, if the rules are sound with it.
func (s *session) decideRule(ctx context.Context, d storage.RuleDecision, ttl, reason string) error {
	by, err := s.author(reason)
	if err != nil {
		return err
	}
	all, written, err := s.ruled(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(r ruled) bool { return r.Name == d.Name })
	if at < 0 {
		return s.noRule(d.Name, all)
	}
	if ttl != "" {
		if d.TTL, err = rulefile.ParseDuration(ttl); err != nil || d.TTL <= 0 {
			return problem.New(problem.Usage, fmt.Sprintf("--ttl: %q is no length of time; nothing was changed", ttl), "write 300s, 2h or 30d")
		}
	}
	if d.Action == "" {
		d.Action = all[at].state.Action
	} else if _, err := enforcement.ParseDo(d.Action); err != nil {
		return problem.New(problem.Usage, "--do: "+err.Error()+"; nothing was changed", "see `gatecamp rules enable --help`")
	}
	if d.TTL == 0 {
		d.TTL = all[at].state.TTL
	}
	now, _ := decidedOver(written, map[string]storage.RuleDecision{d.Name: d})
	if err := now.Validate(); err != nil {
		return problem.New(problem.Usage, "the rules would not be sound: "+err.Error()+"; nothing was changed", "").Because(err)
	}
	if _, err := s.db.DecideRule(ctx, d, by); err != nil {
		return err
	}
	if all, _, err = s.ruled(ctx); err != nil {
		return err
	}
	s.sayRule(&all[at], &now)
	return nil
}

// noRule says which rules there are.
func (s *session) noRule(name string, all []ruled) error {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	cure := "the rules are " + strings.Join(names, ", ")
	if near := nearest(name, names); near != "" {
		cure = "did you mean " + near + "? T" + cure[1:]
	}
	if s.cfg.RulesFile == "" {
		cure += "; rules of your own stand in the file that GATECAMP_RULES_FILE names"
	}
	return problem.New(problem.Usage, fmt.Sprintf("there is no rule %q; nothing was changed", name), cure)
}

// sayRule says what holds now, and what follows from it.
func (s *session) sayRule(r *ruled, c *enforcement.Config) {
	if r.Off {
		s.say("The rule %s is off, in every process within a second. Blocks that it made stay.", r.Name)
		return
	}
	s.say("The rule %s is on, in every process within a second: it fires at %s, and then does: %s.", r.Name, r.counts(), r.does(c))
	switch {
	case r.Action.Do == enforcement.Contain:
		s.say("Contain takes every privileged role below the bot from one person, at most once in ten minutes; never from the owner, operators or bots.")
	case r.Action.Do.Blocks() && slices.ContainsFunc(r.Targets(), enforcement.Scope.Shared):
		s.say("Its blocks name what is shared by many: everybody there is kept out of gatecamp while one holds.")
	}
}

// askedWithin is how long a process that serves may take to answer.
const askedWithin = 3 * time.Second

func (c *console) rulesReload() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reload", Short: "have the process that serves read the rules file again",
		Long: `Has the process that serves read the file that its GATECAMP_RULES_FILE names again, and says what came of it. A mistake changes nothing
and is told with its place. The file is also read again by itself when it changes, and on SIGHUP. What rules have counted stays, unless
they count in another way now.`,
		Example: "  gatecamp rules test rules.yaml && gatecamp rules reload",
	}
	cmd.RunE = c.anywhere("rules reload", func(ctx context.Context, s *session, _ []string) error {
		at := s.now().UTC()
		request := at.Format(time.RFC3339Nano)
		by := storage.Author{Actor: s.actor(), Origin: "console", Reason: "gatecamp rules reload", At: at}
		if err := s.db.SetSetting(ctx, 0, settingRulesAsked, request, by); err != nil {
			return err
		}
		within, end := context.WithTimeout(ctx, askedWithin)
		defer end()
		for wait(within, rulesEvery/3) == nil {
			l, err := s.loaded(ctx)
			switch {
			case errors.Is(err, storage.ErrNotFound), err == nil && l.Request != request:
				continue
			case err != nil:
				return err
			case l.Problem != "":
				return problem.New(problem.Usage, l.Problem, "mend the file; the rules are as they were before")
			}
			s.say("The rules are read again: %d are known, and in force.", l.Rules)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.say("No process that serves answered. One that starts reads the rules anyway; see `gatecamp health`.")
		return nil
	})
	return cmd
}
