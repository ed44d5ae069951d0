package main

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// trailAttempts shows who tried what, refused attempts with the reason.
func (c *console) trailAttempts() *cobra.Command {
	var form format
	var user string
	var refused bool
	cmd := &cobra.Command{
		Use: "attempts", Short: "who tried what, by console, schedule or command; refused attempts with the reason",
		Long: `Lists every attempt to make gatecamp do something, newest first. Refused attempts of one person and command within ten minutes are one
line with a count. Arguments are kept only as far as they are harmless.`,
		Example: "  gatecamp trail attempts --refused\n  gatecamp trail attempts --user console:root --json",
		RunE: c.work(func(ctx context.Context, s *session, _ []string) error {
			all, err := s.db.Invocations(ctx, s.guild, storage.InvocationFilter{User: user})
			if err != nil {
				return err
			}
			l := &list{columns: []string{"last", "user", "command", "arguments", "origin", "answer", "count", "run"}, empty: "Nobody has tried anything yet."}
			for _, v := range all {
				if !refused || !v.Accepted {
					l.addAttempt(v)
				}
			}
			return form.print(s.out, l)
		}),
	}
	cmd.Flags().StringVar(&user, "user", "", "only of this `USER`, such as console:root or discord:ID")
	cmd.Flags().BoolVar(&refused, "refused", false, "only refused attempts")
	form.flags(cmd)
	return noted(cmd, noteJSON, "one line each, newest first: first, last, user, command, args, origin, accepted, refusal, count, run")
}

func (l *list) addAttempt(v storage.Invocation) {
	answer, run := "accepted", "-"
	if !v.Accepted {
		answer = "refused: " + v.Refusal
	}
	var runNumber any
	if v.Run != 0 {
		run, runNumber = strconv.FormatInt(v.Run, 10), v.Run
	}
	l.add(map[string]any{
		"first": reconcile.LineTime(v.First), "last": reconcile.LineTime(v.Last), "user": v.User, "command": v.Command, "args": v.Args, "origin": v.Origin,
		"accepted": v.Accepted, "refusal": v.Refusal, "count": v.Count, "run": runNumber,
	}, eveTime(v.Last), v.User, v.Command, v.Args, v.Origin, answer, strconv.Itoa(v.Count), run)
}

// trailChanges shows who changed what gatecamp goes by.
func (c *console) trailChanges() *cobra.Command {
	var form format
	var table, actor string
	cmd := &cobra.Command{
		Use: "changes", Short: "who changed what gatecamp goes by: policy, bindings, tables, grants, lock, pause, brakes, settings",
		Long:    "Lists every change of what gatecamp goes by, newest first, with what was there before and after, who made it and why.",
		Example: "  gatecamp trail changes --table policy\n  gatecamp trail changes --actor console:root --json",
		RunE: c.work(func(ctx context.Context, s *session, _ []string) error {
			all, err := s.db.Changes(ctx, s.guild, storage.ChangeFilter{Table: table, Actor: actor})
			if err != nil {
				return err
			}
			l := &list{columns: []string{"at", "actor", "table", "key", "before", "after", "reason"}, empty: "Nothing has been changed yet."}
			for _, x := range all {
				l.addChange(x)
			}
			return form.print(s.out, l)
		}),
	}
	cmd.Flags().StringVar(&table, "table", "", "only of this `TABLE`, such as policy, role_binding, protected_member, setting")
	cmd.Flags().StringVar(&actor, "actor", "", "only by this `ACTOR`, such as console:root")
	form.flags(cmd)
	return noted(cmd, noteJSON, "one line each, newest first: at, table, key, before, after (JSON or null), actor, origin, reason")
}

func (l *list) addChange(x storage.Change) {
	l.add(map[string]any{
		"at": reconcile.LineTime(x.At), "table": x.Table, "key": x.Key, "before": documentOrNull(x.Before), "after": documentOrNull(x.After), "actor": x.Actor,
		"origin": x.Origin, "reason": x.Reason,
	}, eveTime(x.At), x.Actor, x.Table, x.Key, shortened(x.Before), shortened(x.After), x.Reason)
}

func documentOrNull(doc json.RawMessage) any {
	if len(doc) == 0 {
		return nil
	}
	return doc
}

// shortened is a document as a table can show it; --json and --csv of a wider screen have it whole.
func shortened(doc json.RawMessage) string {
	const most = 60
	runes := []rune(string(doc))
	switch {
	case len(runes) == 0:
		return "-"
	case len(runes) > most:
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
