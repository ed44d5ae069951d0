package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
)

// shownFindings is how many members a run names; the rest is in `audit findings`.
const shownFindings = 5

// tellRun prints a run for people: what was looked at, what is wrong, what would go, what holds it, and what to do next.
func (f *filed) tellRun(r *reconcile.Report) {
	f.known = r.Look.Scene.Auth
	f.learnNames(r)
	f.say("Run %d on %s: %s", r.Run.ID, f.file.Name, stateWords(r.Run.State))
	f.tellSources(r)
	f.tellCategories(r)
	f.tellWorst(r)
	f.tellPlan(r)
	f.tellOutcomes(r)
	f.tellNext(r)
}

func (f *filed) tellSources(r *reconcile.Report) {
	what := "every member"
	switch order := r.Run.Order; {
	case order.Limit > 0:
		what = fmt.Sprintf("the first %d by id, of %d", r.Counts.Members, len(r.Look.Picture.Members))
	case len(order.Members) > 0:
		what = "and judged one"
	case !r.Look.Picture.Complete:
		what = fmt.Sprintf("NOT every member: Discord speaks of %d", f.file.MemberCount)
		if f.live {
			what = "NOT proven to be every member"
		}
	}
	f.say("\nLooked at")
	f.say("  guild    %s, %s (%s)", guildName(r.Look.Picture.Guild), count(r.Counts.Members, "member", "members"), what)
	if !f.file.At.IsZero() {
		f.say("  taken    %s EVE time, %s", eveTime(f.file.At), ago(r.Look.At.Sub(f.file.At)))
	}
	f.say("  Auth     %s: %s, %s", f.auth, r.Look.Verdict.Health, count(len(r.Look.Scene.Auth.Accounts), "account", "accounts"))
	for _, line := range healthWords(r.Look.Verdict) {
		f.say("           %s", line)
	}
	if r.Look.AuthError != nil {
		f.say("           %s", describe(r.Look.AuthError))
	}
	if r.Look.PolicyVersion == 0 {
		f.say("  policy   none set, so everything is reported only")
	} else {
		f.say("  policy   version %d", r.Look.PolicyVersion)
	}
	if note := f.notUsed(); note != "" {
		f.say("  note     %s", note)
	}
	for _, note := range f.file.Notes {
		f.say("  note     %s", visible(note))
	}
}

func guildName(g audit.Guild) string {
	if g.Name == "" {
		return g.ID.String()
	}
	return fmt.Sprintf("%s (%d)", visible(g.Name), g.ID)
}

func (f *filed) tellCategories(r *reconcile.Report) {
	f.say("\nMembers")
	for c := range audit.Categories() {
		if n := r.Population.Categories[c]; n > 0 {
			f.say("  %6d  %s", n, categoryWords(c))
		}
	}
	n := r.Counts.Findings
	f.say("\nFindings: %d new, %d changed, %d gone, %d as before", n.Opened, n.Changed, n.Closed, n.Unchanged)
	if r.Look.Verdict.Health == audit.Blind {
		f.say("  Auth is blind, so no finding was opened, changed or closed.")
	}
}

// namesWithin is how long Discord may take to say what the members are called who are about to be told of.
const namesWithin = 3 * time.Second

// learnNames asks the guild itself for the names of the members who are told of. Where it does not say, ids have to do.
func (f *filed) learnNames(r *reconcile.Report) {
	guild, live := f.guilds.(liveGuild)
	if !live {
		return
	}
	var ids []snowflake.ID
	found := worst(r)
	for _, d := range found[:min(shownFindings, len(found))] {
		ids = append(ids, d.Member)
	}
	for _, o := range r.Outcomes[:min(shownOutcomes, len(r.Outcomes))] {
		ids = append(ids, o.Action.Member)
	}
	slices.Sort(ids)
	ctx, end := context.WithTimeout(context.Background(), namesWithin)
	defer end()
	f.names, _ = guild.Names(ctx, slices.Compact(ids)) // without names a run is told all the same
}

// worst are the members whom a moderator should look at first: alerts before actions, more roles before fewer.
func worst(r *reconcile.Report) []audit.Decision {
	found := slices.DeleteFunc(slices.Clone(r.Decisions), func(d audit.Decision) bool { return !d.Category.IsFinding() && !d.Acts() })
	rank := func(d audit.Decision) int { return d.Held.And(r.Look.Scene.Concerning()).Len() }
	slices.SortStableFunc(found, func(a, b audit.Decision) int {
		return cmp.Or(cmp.Compare(b.Alarming.Len(), a.Alarming.Len()), cmp.Compare(b.Act, a.Act), cmp.Compare(rank(b), rank(a)), cmp.Compare(a.Member, b.Member))
	})
	return found
}

func (f *filed) tellWorst(r *reconcile.Report) {
	found := worst(r)
	if len(found) == 0 {
		return
	}
	f.say("\nLook at these first")
	for i := range found[:min(shownFindings, len(found))] {
		f.tellMember(&found[i], r.Look)
	}
	if more := len(found) - shownFindings; more > 0 {
		f.say("  … and %d more: gatecamp audit findings", more)
	}
}

func (f *filed) tellMember(d *audit.Decision, l *reconcile.Look) {
	mark := " "
	if !d.Alarming.Empty() {
		mark = "!"
	}
	f.say(" %s %s: %s", mark, f.name(d.Member), reasonsText(d.Reasons))
	for _, line := range []struct {
		label string
		roles audit.RoleSet
	}{
		{"ALERT, privileged", d.Alarming},
		{"would go", d.Remove},
		{"out of the bot's reach", d.Unreachable},
		{"not Auth's", d.Surplus.Minus(d.Remove).Minus(d.Unreachable)},
		{"missing", d.Missing},
	} {
		if !line.roles.Empty() {
			f.say("     %s: %s", line.label, roleNames(l.Scene, line.roles))
		}
	}
	if d.Category != audit.SurplusRoles && d.Remove.Empty() {
		if held := d.Held.And(l.Scene.Concerning()).Minus(d.Alarming).Minus(d.Unreachable); !held.Empty() && d.Category != audit.MissingRoles {
			f.say("     holds: %s", roleNames(l.Scene, held))
		}
	}
	if len(d.Absent) > 0 {
		f.say("     the guild has no role named %s", visible(strings.Join(d.Absent, ", ")))
	}
	for _, like := range l.Scene.Lookalikes(d.Held) {
		f.say("     %s looks like %q and is not it", roleName(l.Scene.Guild.Roles, like.Role), visible(like.Like))
	}
	if d.Kick || d.Ban {
		f.say("     would be removed from the guild (%s)", actWords(d.Act))
	}
}

func reasonsText(r audit.Reasons) string {
	var words []string
	for reason := range r.All() {
		words = append(words, reasonWords(reason))
	}
	return strings.Join(words, "; ")
}

func roleNames(s *audit.Scene, set audit.RoleSet) string {
	var names []string
	for i := range set.All() {
		names = append(names, visible(s.Guild.Roles[i].Name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// tellPlan says what would go and what holds it, with the figures of brakes.
func (f *filed) tellPlan(r *reconcile.Report) {
	f.say("\nPlan")
	if len(r.Plan.Actions) == 0 {
		f.say("  nothing would be changed in Discord")
		return
	}
	members := map[snowflake.ID]struct{}{}
	for _, a := range r.Plan.Actions {
		members[a.Member] = struct{}{}
	}
	f.say("  %s to %s: %s", count(len(r.Plan.Actions), "change", "changes"), count(len(members), "member", "members"), countsText(r.Counts.Summary.Planned))
	for _, code := range sortedKeys(r.Counts.Summary.Held) {
		f.say("  %6d held by %s", r.Counts.Summary.Held[code], holdWords(code))
	}
	for _, h := range r.Plan.Holds {
		if h.Tripped {
			f.say("         %s tripped earlier and nobody has reset it", holdWords(h.By.String()))
			continue
		}
		f.say("         %s: %d asked, %d allowed (%s)", holdWords(h.By.String()), h.Asked, h.Allowed, windowWords(h.Window))
	}
	f.say("  digest %s", r.Plan.Digest)
}

// shownOutcomes is how many changes a run names; the rest is in `plan show`.
const shownOutcomes = 20

// tellOutcomes says what was done, to whom, and what was not and why.
func (f *filed) tellOutcomes(r *reconcile.Report) {
	if len(r.Outcomes) == 0 {
		return
	}
	f.say("\nDone")
	var codes []string
	for _, o := range r.Outcomes[:min(shownOutcomes, len(r.Outcomes))] {
		what := kindWords(o.Action.Kind.String())
		if o.Action.Role != 0 {
			what += " " + roleName(r.Look.Scene.Guild.Roles, o.Action.Role)
		}
		line := fmt.Sprintf("  %-11s %s: %s", strings.ReplaceAll(o.Result.String(), "_", " "), f.name(o.Action.Member), what)
		if o.Code != "" {
			line += ": " + o.Code
			codes = append(codes, o.Code)
		}
		f.say("%s", line)
	}
	if more := len(r.Outcomes) - shownOutcomes; more > 0 {
		f.say("  … and %d more: gatecamp plan show %s", more, r.Plan.Digest)
	}
	lines, err := legend(codes)
	if err != nil {
		f.say("  %s", describe(err))
	}
	for _, line := range lines {
		f.say("  %s", line)
	}
}

func windowWords(w audit.Window) string { return english().Window(w) }

func countsText(counts map[string]int) string {
	var parts []string
	for _, k := range sortedKeys(counts) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[k], kindWords(k)))
	}
	return strings.Join(parts, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (f *filed) tellNext(r *reconcile.Report) {
	f.say("\nNext")
	if n := r.Counts.Unbound; n > 0 {
		f.say("  %s by name alone: until bound, nobody loses them (gatecamp bind propose)", count(n, "role counts as managed", "roles count as managed"))
	}
	f.say("  gatecamp audit findings --run %d", r.Run.ID)
	if len(r.Plan.Actions) > 0 {
		f.say("  gatecamp plan show %s", r.Plan.Digest)
	}
	f.say("  gatecamp audit explain MEMBER%s", f.flag())
	if !f.live {
		f.say("  A run on a file changes nothing and releases no lock.")
	}
}
