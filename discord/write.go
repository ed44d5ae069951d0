package discord

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// write is one call that changes a member, with its repetitions and the look at what it did.
type write struct {
	g      *Guild
	ctx    context.Context // of the call: it ends with the call's time, and carries the place in the line
	reason string
	member snowflake.ID
}

const (
	attempts    = 3 // of a call that Discord, or the way to it, failed
	firstPause  = 150 * time.Millisecond
	arrayEcho   = time.Second // how long we listen after a whole array for a foreign role that it took
	readsWithin = 4 * time.Second
)

func (w *write) options() []rest.RequestOpt {
	return []rest.RequestOpt{rest.WithCtx(w.ctx), rest.WithReason(w.reason)}
}

// repeat calls until Discord answers anything but that it failed. Only for calls that may be made twice. Sent says that Discord may
// have heard of one that failed.
func (w *write) repeat(call func() error) (sent bool, err error) { return repeat(w.ctx, call) }

func repeat(ctx context.Context, call func() error) (sent bool, err error) {
	for n := range attempts {
		if err = call(); err == nil || !passing(err) {
			return sent, err
		}
		sent = sent || !errors.Is(err, ErrNotSent)
		if n+1 < attempts && pause(ctx, n) != nil {
			return sent, err
		}
	}
	return sent, err
}

// readAgain reads something, again where Discord, or the way to it, failed.
func readAgain[T any](ctx context.Context, read func() (T, error)) (answer T, err error) {
	_, err = repeat(ctx, func() (err error) {
		answer, err = read()
		return err
	})
	return answer, err
}

// passing reports whether it may work in a moment: Discord's own fault, or no answer.
func passing(err error) bool {
	return !errors.Is(err, ErrNotSent) && !errors.Is(err, ErrLimiterClosed) && (status(err) >= 500 || status(err) == 0)
}

// role takes one role by itself.
func (w *write) role(a audit.Action) audit.Outcome {
	t := w.g.m.fresh(w.member)
	if t != nil && !slices.Contains(t.roles, a.Role) {
		return audit.Outcome{Action: a, Result: audit.AlreadySo, Code: codeNotHeld}
	}
	if t == nil {
		t = w.g.m.follow(w.member)
	}
	sent, err := w.repeat(func() error { return w.g.c.bot.Rest.RemoveMemberRole(w.g.id, w.member, a.Role, w.options()...) })
	if err != nil {
		return failure(a, err, sent)
	}
	saw, heard := w.g.await(t, 0, w.g.c.echo, func(s sighting) bool { return s.left || !slices.Contains(s.roles, a.Role) })
	if heard && !saw.left {
		return audit.Outcome{Action: a, Result: audit.Done}
	}
	return w.readBack(a)
}

// remove kicks or bans.
func (w *write) remove(a audit.Action) audit.Outcome {
	t := w.g.m.follow(w.member)
	sent, err := w.repeat(func() error {
		if a.Kind == audit.BanMember {
			return w.g.c.bot.Rest.AddBan(w.g.id, w.member, 0, w.options()...)
		}
		return w.g.c.bot.Rest.RemoveMember(w.g.id, w.member, w.options()...)
	})
	if o := failure(a, err, sent); err != nil && !(sent && o.Result == audit.Gone) {
		return o
	}
	if _, heard := w.g.await(t, 0, w.g.c.echo, func(s sighting) bool { return s.left }); heard {
		return audit.Outcome{Action: a, Result: audit.Done}
	}
	return w.readBack(a)
}

// readBack reads the member when no event told what became of the call.
func (w *write) readBack(a audit.Action) audit.Outcome {
	ctx, end := context.WithTimeout(context.WithoutCancel(w.ctx), readsWithin)
	defer end()
	_, now, err := w.g.look(ctx, w.member)
	o := audit.Outcome{Action: a, Result: audit.Done}
	removes := !takesRole(a.Kind)
	switch {
	case errors.Is(err, ErrNotMember) && removes:
	case errors.Is(err, ErrNotMember):
		o.Result, o.Code = audit.Gone, codeLeft
	case err != nil:
		o.Code = codeUnverified
	case removes || slices.Contains(now.RoleIDs, a.Role):
		o.Result, o.Code = audit.NotApplied, codeStill
	}
	return o
}

// array takes several roles with one write of all that remain. It replaces the whole set, so it is written only on the strength of a
// read younger than youngRead with no event since, and never repeated without a new one.
func (w *write) array(actions []audit.Action) []audit.Outcome {
	all := func(result audit.Result, code string) []audit.Outcome {
		outcomes := make([]audit.Outcome, len(actions))
		for i, a := range actions {
			outcomes[i] = audit.Outcome{Action: a, Result: result, Code: code}
		}
		return outcomes
	}
	sent := false
	for n := range attempts {
		t := w.g.m.fresh(w.member)
		if t == nil {
			var err error
			t, _, err = w.g.look(w.ctx, w.member)
			if errors.Is(err, ErrNotMember) {
				return all(audit.Gone, codeLeft)
			}
			if err != nil {
				return all(failedRead(sent), codeUnreadable)
			}
			if w.g.m.fresh(w.member) != t {
				continue // somebody wrote meanwhile
			}
		}
		keep, gone := w.remaining(t, actions)
		if gone == 0 {
			if sent {
				return all(audit.Done, "")
			}
			return all(audit.AlreadySo, codeNotHeld)
		}
		now, err := w.g.c.bot.Rest.UpdateMember(w.g.id, w.member, discord.MemberUpdate{Roles: &keep}, w.options()...)
		if err == nil {
			return w.compare(t, actions, keep, now)
		}
		stale := rest.IsJSONErrorCode(err, rest.JSONErrorCodeUnknownRole) // a role was deleted since
		if !passing(err) && !stale || n+1 == attempts {
			outcomes := all(0, "")
			for i, a := range actions {
				outcomes[i] = failure(a, err, sent)
			}
			return outcomes
		}
		sent = sent || !stale
		if pause(w.ctx, n) != nil {
			return all(failedRead(sent), codeNetwork)
		}
		w.g.m.follow(w.member) // what was read no longer counts
	}
	return all(failedRead(sent), codeChanging)
}

// failedRead is the result where nothing could be read before a write: nothing was done, unless an earlier attempt reached Discord.
func failedRead(sent bool) audit.Result {
	if sent {
		return audit.FailedCall
	}
	return audit.NotTried
}

// pause waits before the next attempt, longer after each and never exactly as long as others do.
func pause(ctx context.Context, n int) error {
	t := time.NewTimer(firstPause<<n + rand.N(firstPause))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// remaining is what the member keeps: every role but the named ones, those that Discord manages included, deleted ones left out.
// Never nil: nil would be sent as null.
func (w *write) remaining(t *trace, actions []audit.Action) (keep []snowflake.ID, gone int) {
	keep = []snowflake.ID{}
	w.g.m.mu.Lock()
	defer w.g.m.mu.Unlock()
	for _, role := range t.roles {
		if slices.ContainsFunc(actions, func(a audit.Action) bool { return a.Role == role }) {
			gone++
			continue
		}
		if _, exists := w.g.m.index[role]; exists {
			keep = append(keep, role)
		}
	}
	return keep, gone
}

// compare says what became of each action, by the member as Discord returned them and by what was heard since the read: a role that
// came to the member between read and write went with the write, and was not named.
func (w *write) compare(t *trace, actions []audit.Action, sent []snowflake.ID, now *discord.Member) []audit.Outcome {
	same := func(s sighting) bool { return s.left || sameRoles(s.roles, sent) }
	w.g.await(t, 0, min(arrayEcho, w.g.c.echo), same)
	heard, _ := w.g.m.heard(t, 0)
	lost := w.lost(heard, actions, sent, now.RoleIDs)
	outcomes := make([]audit.Outcome, len(actions))
	for i, a := range actions {
		o := audit.Outcome{Action: a, Result: audit.Done}
		switch {
		case slices.Contains(now.RoleIDs, a.Role):
			o.Result, o.Code = audit.NotApplied, codeStill
		case !slices.Contains(t.roles, a.Role):
			o.Result, o.Code = audit.AlreadySo, codeNotHeld
		case len(lost) > 0:
			o.Result, o.Code = audit.Collateral, audit.LostCode(lost)
		}
		outcomes[i] = o
	}
	return outcomes
}

// lost are the roles that the member was seen with between read and write, and has no more, though nobody named them.
func (w *write) lost(heard []sighting, actions []audit.Action, sent, now []snowflake.ID) (lost []snowflake.ID) {
	w.g.m.mu.Lock()
	defer w.g.m.mu.Unlock()
	for _, s := range heard {
		if s.left || sameRoles(s.roles, sent) { // ours; what comes after it is not our doing
			break
		}
		for _, role := range s.roles {
			named := slices.ContainsFunc(actions, func(a audit.Action) bool { return a.Role == role })
			_, exists := w.g.m.index[role]
			if !named && exists && !slices.Contains(now, role) && !slices.Contains(lost, role) {
				lost = append(lost, role)
			}
		}
	}
	return lost
}

func sameRoles(a, b []snowflake.ID) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
