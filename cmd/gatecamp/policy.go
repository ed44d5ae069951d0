package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) policyCommands() *cobra.Command {
	return family("policy", "what the guild wants done about whom", c.policyShow(), c.policySet(), c.policyHistory())
}

func (c *console) policyShow() *cobra.Command {
	var version int64
	var f format
	cmd := &cobra.Command{
		Use: "show", Short: "print the policy in force, or an earlier version",
		Long: `Prints the policy as it was given. The lines that begin with # say which version it is, and who set it when and why; the whole can be
changed in an editor and given to ` + "`gatecamp policy set`" + ` again. A guild that never set one reports everything and changes nothing.`,
		Example: "  gatecamp policy show > policy.yaml\n  gatecamp policy show --version 3",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		if version < 0 {
			return problem.Usagef("--version: versions are counted from 1, not %d", version)
		}
		p, err := s.storedPolicy(ctx, version)
		if err != nil {
			return err
		}
		if f.json {
			return printLines(s.out, policyLine(p))
		}
		s.say("# %s", policyTitle(p))
		s.say("%s", visibleText(strings.TrimRight(p.Document, "\n")))
		return nil
	})
	cmd.Flags().Int64Var(&version, "version", 0, "the `number` of an earlier version; without it the newest")
	f.jsonFlag(cmd)
	return noted(cmd, noteJSON, `{"version", "policy": {…, canonical, in full}, "document": the text as it was given, "actor", "reason", "at"}; version 0: none was ever set`)
}

// storedPolicy reads a version, 0 the newest; a guild that never set one has version 0, the default.
func (s *session) storedPolicy(ctx context.Context, version int64) (storage.Policy, error) {
	p, err := s.db.Policy(ctx, s.guild, version)
	if !errors.Is(err, storage.ErrNotFound) {
		return p, err
	}
	if version != 0 {
		return p, problem.New(problem.Usage, fmt.Sprintf("the policy has no version %d", version), "see `gatecamp policy history`")
	}
	d := audit.DefaultPolicy()
	return storage.Policy{Guild: s.guild, Document: string(policyfile.Format(d)), Canonical: policyfile.Canonical(d)}, nil
}

func policyTitle(p storage.Policy) string {
	if p.Version == 0 {
		return "no policy was ever set: everything is reported, nothing is changed"
	}
	return fmt.Sprintf("version %d, set by %s at %s EVE time: %s", p.Version, visible(p.Actor), eveTime(p.At), visible(p.Reason))
}

func policyLine(p storage.Policy) any {
	return struct {
		Version  int64           `json:"version"`
		Policy   json.RawMessage `json:"policy"`
		Document string          `json:"document"`
		Actor    string          `json:"actor"`
		Reason   string          `json:"reason"`
		At       any             `json:"at"`
	}{p.Version, compact(p.Canonical), p.Document, p.Actor, p.Reason, reconcile.LineTime(p.At)}
}

// maxPolicy is more than the reader of policies takes, so that its own words are heard.
const maxPolicy = 1 << 20

func (c *console) policySet() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "set FILE", Short: "store another policy, with a reason",
		Long: `Reads a policy (YAML; JSON is YAML) and stores it as the next version. FILE - reads what is piped in. Anything wrong is told with its
line and column, and then nothing is stored. Names of groups and states are compared with Auth where it can be read: a name that Auth
does not have is an error.

A policy that asks for a kind of action which the acknowledged one did not contain is stored, and the first-run lock arms itself again
for that kind: a new report has to be acknowledged before anything of it happens.`,
		Example: "  gatecamp policy set policy.yaml --reason \"strangers lose their roles at once\"\n  gatecamp policy show | sed s/strip_kick/strip/ | gatecamp policy set - --reason \"no kicks before the move\"",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("policy set", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		doc, data, err := s.readPolicyFile(ctx, args[0])
		if err != nil {
			return err
		}
		return s.setPolicy(ctx, doc.Policy, string(data), by)
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// readPolicyFile reads a policy and checks its names where Auth can be asked.
func (s *session) readPolicyFile(ctx context.Context, path string) (*policyfile.Document, []byte, error) {
	data, err := s.readAll(path, maxPolicy)
	if err != nil {
		return nil, nil, err
	}
	name := path
	if name == "-" {
		name = "standard input"
	}
	doc, err := policyfile.Read(data, name)
	if err != nil {
		return nil, nil, err
	}
	d, why, err := s.directory(ctx)
	switch {
	case err != nil:
		return nil, nil, err
	case d == nil && namesAny(&doc.Policy):
		s.say("The names of groups and states were not checked, because Auth could not be asked: %s.", why)
	case d != nil:
		if err := doc.Check(d); err != nil {
			return nil, nil, err
		}
	}
	return doc, data, nil
}

func namesAny(p *audit.Policy) bool {
	return slices.ContainsFunc(p.Rules[:], func(r audit.Rule) bool { return len(r.ByGroup)+len(r.ByState) > 0 })
}

func (s *session) setPolicy(ctx context.Context, p audit.Policy, document string, by storage.Author) error {
	before, err := s.storedPolicy(ctx, 0)
	if err != nil {
		return err
	}
	canonical := policyfile.Canonical(p)
	changes := differences(before.Canonical, canonical)
	if before.Version > 0 && len(changes) == 0 {
		s.say("This is the policy that is in force already (version %d); nothing was stored.", before.Version)
		return nil
	}
	stored, err := s.db.SetPolicy(ctx, s.guild, before.Version, document, canonical, by)
	if errors.Is(err, storage.ErrConflict) {
		return problem.New(problem.Failed, "somebody else has stored another policy just now; yours was not stored", "look at it with `gatecamp policy show` and try again").Because(err)
	}
	if err != nil {
		return err
	}
	s.say("Version %d of the policy is in force.", stored.Version)
	for _, line := range changes {
		s.say("  %s", line)
	}
	return s.sayLock(ctx, &p)
}

// sayLock tells what of a new policy the first-run lock holds.
func (s *session) sayLock(ctx context.Context, p *audit.Policy) error {
	var wants []string
	for _, act := range p.Destructive() {
		wants = append(wants, act.String())
	}
	if len(wants) == 0 {
		s.say("It only reports: nothing in Discord is changed.")
		return nil
	}
	ack, err := s.db.Acknowledged(ctx, s.guild)
	if errors.Is(err, storage.ErrNotFound) {
		s.say("The first-run lock is on: nothing of it (%s) happens until somebody acknowledges a report with `gatecamp audit acknowledge`.", strings.Join(wants, ", "))
		return nil
	}
	if err != nil {
		return err
	}
	var fresh []string
	for _, act := range wants {
		if !covers(ack.Kinds, act) {
			fresh = append(fresh, act)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	s.say("It allows %s, which the acknowledged policy (version %d) did not: the first-run lock is on again for that, until somebody\nacknowledges a new report with `gatecamp audit acknowledge`. What was acknowledged before goes on.", strings.Join(fresh, ", "), ack.PolicyVersion)
	return nil
}

// covers reports whether an acknowledgement of some kinds of action allows another: who allowed kicks has allowed what comes before them.
func covers(kinds []string, act string) bool {
	return slices.Contains(kinds, act) || act == audit.Strip.String() && slices.Contains(kinds, audit.StripKick.String())
}

func (c *console) policyHistory() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "history", Short: "list all versions of the policy: who set them, when and why, and what changed",
		Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		all, err := s.db.PolicyHistory(ctx, s.guild, storage.Page{})
		if err != nil {
			return err
		}
		l := list{columns: []string{"version", "at", "actor", "reason", "changes"}, empty: "No policy was ever set: everything is reported, nothing is changed."}
		for i, p := range all {
			earlier := policyfile.Canonical(audit.DefaultPolicy())
			if i+1 < len(all) {
				earlier = all[i+1].Canonical
			}
			changes := differences(earlier, p.Canonical)
			l.add(struct {
				Version int64    `json:"version"`
				Actor   string   `json:"actor"`
				Reason  string   `json:"reason"`
				At      any      `json:"at"`
				Changes []string `json:"changes"`
			}{p.Version, p.Actor, p.Reason, reconcile.LineTime(p.At), changes},
				strconv.FormatInt(p.Version, 10), eveTime(p.At), p.Actor, p.Reason, strings.Join(changes, "; "))
		}
		return f.print(s.out, &l)
	})
	f.flags(cmd)
	return noted(cmd, noteJSON, `one line a version, newest first: {"version", "actor", "reason", "at", "changes": ["unknown_guest.default: report → strip", …]}`)
}
