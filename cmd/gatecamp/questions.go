package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// mostPolicy is more than any policy is long.
const mostPolicy = 1 << 20

func (c *console) auditPreview() *cobra.Command {
	var path string
	var form format
	cmd := &cobra.Command{
		Use: "preview POLICY.yaml", Short: "what another policy would change, without setting it",
		Long: `Decides about every member twice, under the policy in force and under the one of the file, and counts what would be decided otherwise.
Nothing is stored and nothing is changed. Groups and states that the file names must exist in Auth. "-" reads the policy from the
standard input.`,
		Example: `  gatecamp audit preview strict.yaml --snapshot guild.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			data, err := c.readAll(args[0], mostPolicy)
			if err != nil {
				return err
			}
			policy, err := policyfile.Read(data, args[0])
			if err != nil {
				return err
			}
			if path == "" && !c.connected(cmd.Context()) {
				return c.refuseLive(cmd, args, "audit preview", "previewing a policy on the guild itself", "name a picture of it: `gatecamp audit preview POLICY.yaml --snapshot FILE`")
			}
			f, done, err := c.guildAt(cmd.Context(), path)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			return f.preview(cmd.Context(), policy, form)
		},
	}
	fileFlag(cmd, &path)
	form.flags(cmd)
	return noted(cmd, noteJSON, "one line for each changed member: member_id, category, now, then, layer_now, layer_then")
}

func (f *filed) preview(ctx context.Context, policy *policyfile.Document, form format) error {
	picture, err := f.guilds.Picture(ctx)
	if err != nil {
		return err
	}
	cmp, err := f.engine.Compare(ctx, picture, policy.Policy)
	if err != nil {
		return err
	}
	if cmp.Look.AuthError == nil {
		if err := policy.Check(cmp.Look.Scene.Auth); err != nil {
			return err
		}
	}
	l := &list{columns: []string{"member_id", "name", "category", "now", "then", "layer_now", "layer_then"}, empty: "No member would be treated differently."}
	for _, m := range cmp.Changed {
		l.add(struct {
			MemberID  string `json:"member_id"`
			Category  string `json:"category"`
			Now       string `json:"now"`
			Then      string `json:"then"`
			LayerNow  string `json:"layer_now"`
			LayerThen string `json:"layer_then"`
		}{m.Member.String(), m.Category.String(), m.Now.String(), m.Then.String(), m.LayerNow, m.LayerThen},
			m.Member.String(), f.file.Person(m.Member).Display(), m.Category.String(), m.Now.String(), m.Then.String(), m.LayerNow, m.LayerThen)
	}
	if !form.json && !form.csv {
		f.tellComparison(cmp)
	}
	if err := form.print(f.out, l); err != nil {
		return err
	}
	if h := cmp.Look.Verdict.Health; h != audit.Healthy {
		return problem.New(problem.Held, fmt.Sprintf("Auth is %s, so this says nothing about what the policy would do", h), "mend Auth, or name a snapshot with a healthy one")
	}
	return nil
}

// tellComparison prints the counts before the members.
func (f *filed) tellComparison(c *reconcile.Comparison) {
	changes := make([]reconcile.Change, 0, len(c.Counts))
	for change := range c.Counts {
		changes = append(changes, change)
	}
	slices.SortFunc(changes, func(a, b reconcile.Change) int {
		if a.Category != b.Category {
			return int(a.Category - b.Category)
		}
		if a.Now != b.Now {
			return int(a.Now - b.Now)
		}
		return int(a.Then - b.Then)
	})
	counts := &list{columns: []string{"members", "category", "now", "then"}}
	for _, change := range changes {
		then := change.Then.String()
		if change.Now == change.Then {
			then = "the same"
		}
		counts.add(nil, strconv.Itoa(c.Counts[change]), change.Category.String(), change.Now.String(), then)
	}
	_ = printTable(f.out, counts)
	f.say("\n%s would be treated differently. Nothing was stored or changed.\n", count(len(c.Changed), "member", "members"))
}

func (c *console) auditDiff() *cobra.Command {
	var form format
	cmd := &cobra.Command{
		Use: "diff RUN [RUN]", Short: "what is different between two runs, or between a run and now",
		Long: `Compares the findings as a run left them with those of another run, or with how they stand now: added, removed, another category,
another action, other roles. Nothing is looked at anew.`,
		Example: "  gatecamp audit diff 12\n  gatecamp audit diff 12 15 --csv",
		Args:    cobra.RangeArgs(1, 2),
		RunE: c.work(func(ctx context.Context, s *session, args []string) error {
			var runs [2]int64
			for i, arg := range args {
				var err error
				if runs[i], err = parseNumber("run", arg); err != nil {
					return err
				}
			}
			differences, err := s.engine(nil).Diff(ctx, runs[0], runs[1])
			if err != nil {
				return err
			}
			l := &list{columns: []string{"subject", "id", "what", "before", "after", "roles"}, empty: "Nothing is different."}
			for _, d := range differences {
				l.add(struct {
					Subject string  `json:"subject"`
					ID      string  `json:"id"`
					What    string  `json:"what"`
					Before  *string `json:"before"`
					After   *string `json:"after"`
					Roles   string  `json:"roles"`
				}{d.SubjectKind, d.Subject.String(), d.What, orNull(d.Before), orNull(d.After), d.RoleText()},
					d.SubjectKind, d.Subject.String(), d.What, dash(d.Before), dash(d.After), dash(d.RoleText()))
			}
			return form.print(s.out, l)
		}),
	}
	form.flags(cmd)
	return noted(cmd, noteJSON, "one line for each difference: subject (member, role), id, what (added, removed, category_changed, action_changed, roles_changed), before, after, roles (which came and went: +ID -ID)")
}

// dash stands for nothing in a table.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (c *console) auditFindings() *cobra.Command {
	var form format
	var category, member string
	var run int64
	var closed bool
	cmd := &cobra.Command{
		Use: "findings", Short: "what is wrong now, newest first",
		Long: `Lists findings: what is wrong, about whom, with which roles, and since when. A finding stays open until a run that saw the whole guild
no longer finds it. Without options those that are open now.`,
		Example: "  gatecamp audit findings --category unknown_guest\n  gatecamp audit findings --member 735000000000000000 --closed",
		RunE: c.work(func(ctx context.Context, s *session, _ []string) error {
			filter := storage.FindingFilter{Closed: closed, Category: category, Run: run}
			if member != "" {
				var err error
				if filter.Subject, err = parseID("--member", member); err != nil {
					return err
				}
			}
			if category != "" && !slices.Contains(reconcile.FindingCategories(), category) {
				return problem.Usagef("--category: %q is none; there are %s", category, joinWords(reconcile.FindingCategories()))
			}
			if run < 0 {
				return problem.Usagef("--run: %d is no run", run)
			}
			return s.printFindings(ctx, filter, form)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&category, "category", "", "only this `CATEGORY`")
	flags.StringVar(&member, "member", "", "only about this member or role, by Discord `ID`")
	flags.Int64Var(&run, "run", 0, "only those that this `RUN` opened, changed or closed")
	flags.BoolVar(&closed, "closed", false, "those that are closed too")
	form.flags(cmd)
	complete(cmd, "category", reconcile.FindingCategories()...)
	return noted(cmd, noteJSON, "one line each, newest first: finding, member_id, category, roles, granted_by, state, opened, closed")
}

func (s *session) printFindings(ctx context.Context, filter storage.FindingFilter, form format) error {
	l := &list{
		columns: []string{"finding", "member_id", "category", "wanted", "allowed", "roles", "go", "alerts", "attempted", "observed", "state", "opened", "closed", "review"},
		empty:   "There are no such findings.",
	}
	const page = 5_000
	for {
		filter.Page.Limit = page
		found, err := s.db.Findings(ctx, s.guild, filter)
		if err != nil {
			return err
		}
		for _, f := range found {
			addFinding(l, &f)
		}
		if len(found) < page {
			return form.print(s.out, l)
		}
		filter.Page.Before = found[len(found)-1].ID
	}
}

func addFinding(l *list, f *storage.Finding) {
	line := reconcile.FindingLineOf(f)
	member := "-"
	if line.MemberID != nil {
		member = *line.MemberID
	}
	l.add(line, strconv.FormatInt(f.ID, 10), member, f.Category, f.Wanted, f.Allowed, cell(reconcile.RolesOf(f)), cell(f.Go), dash(joinWords(f.Alerts)),
		dash(f.Attempted), dash(f.Observed), line.State, eveTime(f.Opened), eveTime(f.Closed), dash(f.ReviewNote))
}

func cell(ids []snowflake.ID) string { return dash(joinIDs(ids)) }

func (c *console) auditReview() *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use: "review FINDING", Short: "leave a note on a finding, such as who looked at it and why it is all right",
		Long: `Writes a note on a finding; a later one replaces it, and the record keeps both. A note changes nothing else: the finding stays open, and
what the policy wants is still wanted. To spare a member, use gatecamp protect or gatecamp override.`,
		Example: `  gatecamp audit review 118 --note "asked their CEO, alt of Vex Kholin"`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("audit review", func(ctx context.Context, s *session, args []string) error {
		id, err := parseNumber("finding", args[0])
		if err != nil {
			return err
		}
		if note == "" {
			return problem.New(problem.Usage, "a note is needed", "add --note \"TEXT\"")
		}
		by, err := s.author(note)
		if err != nil {
			return err
		}
		f, err := s.db.ReviewFinding(ctx, s.guild, id, by)
		if errors.Is(err, storage.ErrNotFound) {
			return problem.New(problem.Usage, fmt.Sprintf("there is no finding %d in this guild; nothing was noted", id), "see `gatecamp audit findings`")
		}
		if err != nil {
			return err
		}
		s.say("Noted on finding %d (%s, %s %s).", f.ID, f.Category, f.SubjectKind, f.Subject)
		return nil
	})
	cmd.Flags().StringVar(&note, "note", "", "what to note, one line `TEXT` (required)")
	return cmd
}
