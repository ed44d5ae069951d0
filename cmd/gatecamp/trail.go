package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
	"gatecamp/trail"
)

// trail is the family of the append-only record.
func (c *console) trail() *cobra.Command {
	return family("trail", "what was seen, intended, done and refused; who tried what; who changed what", c.trailList(), c.trailAttempts(), c.trailChanges())
}

func (c *console) trailList() *cobra.Command {
	var form format
	var run int64
	var member, since string
	cmd := &cobra.Command{
		Use: "list", Short: "the record, in the order in which things happened",
		Long: `Lists the record: what was found, planned, intended, done and refused, in order. It cannot be changed; people who were erased from it
are shown as an opaque key.`,
		Example: "  gatecamp trail list --run 12\n  gatecamp trail list --member 735000000000000000 --since 30d --json",
		RunE: c.work(func(ctx context.Context, s *session, _ []string) error {
			filter := storage.TrailFilter{Run: run}
			if run < 0 {
				return problem.Usagef("--run: %d is no run", run)
			}
			var who snowflake.ID
			var err error
			if member != "" {
				if who, err = parseID("--member", member); err != nil {
					return err
				}
			}
			if filter.Since, err = s.parseSince(since); err != nil {
				return err
			}
			l, err := s.trailOf(ctx, filter, who)
			if err != nil {
				return err
			}
			return form.print(s.out, l)
		}),
	}
	flags := cmd.Flags()
	flags.Int64Var(&run, "run", 0, "only of this `RUN`")
	flags.StringVar(&member, "member", "", "only about or by this person, by Discord `ID`")
	flags.StringVar(&since, "since", "", "only since this `TIME`: 2026-01-31, 2026-01-31T18:00:00Z, or how long ago: 24h, 30d")
	form.flags(cmd)
	return noted(cmd, noteJSON, "one line each, oldest first: id, at, kind, run, member_id, subject, actor, what, code, role_id, plan, action, numbers, text")
}

// parseSince reads --since; no text is no bound.
func (c *console) parseSince(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return c.now().UTC().AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return c.now().UTC().Add(-d), nil
	}
	return time.Time{}, problem.New(problem.Usage, fmt.Sprintf("--since: %q is no time", text), "give a day such as 2026-01-31, a time such as 2026-01-31T18:00:00Z, or how long ago: 24h, 30d")
}

type trailLine struct {
	ID       int64            `json:"id"`
	At       any              `json:"at"`
	Kind     string           `json:"kind"`
	Run      *int64           `json:"run"`
	MemberID *string          `json:"member_id"`
	Subject  *string          `json:"subject"`
	Actor    *string          `json:"actor"`
	What     string           `json:"what"`
	Code     *string          `json:"code"`
	RoleID   *string          `json:"role_id"`
	Plan     *string          `json:"plan"`
	Action   *string          `json:"action"`
	Numbers  map[string]int64 `json:"numbers"`
	Text     *string          `json:"text"`
}

// trailOf reads all pages of the record; of a person, what is about them and what they did.
func (s *session) trailOf(ctx context.Context, filter storage.TrailFilter, who snowflake.ID) (*list, error) {
	l := &list{columns: []string{"at", "kind", "run", "subject", "what", "role_id", "code", "actor", "numbers", "text"}, empty: "The record has nothing of that."}
	const page = 2_000
	for {
		filter.Limit = page
		entries, err := s.db.TrailEntries(ctx, s.guild, filter)
		if err != nil {
			return nil, err
		}
		people, err := s.db.People(ctx, s.guild, keysOf(entries))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if who == 0 || people[e.Subject].Discord == who || people[e.Actor].Discord == who {
				addEntry(l, e, people)
			}
		}
		if len(entries) < page {
			return l, nil
		}
		filter.After = entries[len(entries)-1].ID
	}
}

func keysOf(entries []storage.TrailRecord) []trail.Key {
	seen := map[trail.Key]bool{"": true}
	var keys []trail.Key
	for _, e := range entries {
		for _, k := range []trail.Key{e.Subject, e.Actor} {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func addEntry(l *list, e storage.TrailRecord, people map[trail.Key]storage.Person) {
	name := func(k trail.Key) string {
		if p := people[k]; p.Ref != "" {
			return p.Ref
		}
		return string(k)
	}
	line := trailLine{
		ID: e.ID, At: reconcile.LineTime(e.At), Kind: e.Kind.String(), MemberID: orNullID(people[e.Subject].Discord), Subject: orNull(name(e.Subject)), Actor: orNull(name(e.Actor)),
		What: e.What, Code: orNull(e.Code), RoleID: orNullID(e.Role), Plan: orNull(e.Plan), Action: orNull(e.Action), Numbers: e.Numbers, Text: orNull(e.Text),
	}
	run, role := "-", "-"
	if e.Run != 0 {
		line.Run, run = &e.Run, strconv.FormatInt(e.Run, 10)
	}
	if e.Role != 0 {
		role = e.Role.String()
	}
	var numbers []string
	for _, k := range sortedKeys(e.Numbers) {
		numbers = append(numbers, fmt.Sprintf("%s %d", kindWords(k), e.Numbers[k]))
	}
	l.add(line, eveTime(e.At), e.Kind.String(), run, dash(name(e.Subject)), e.What, role, dash(e.Code), dash(name(e.Actor)), dash(strings.Join(numbers, ", ")), dash(e.Text))
}
