package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// How many looks may go on side by side. A look may wait for Discord's limits before it writes; an urgent one must not wait for it.
const (
	looksUrgent = 2
	looksOthers = 2
)

// dispatch takes members out of the inbox and has them looked at, until the context ends and the last look has.
func (g *Guild) dispatch(ctx context.Context) error {
	looks, ctx := errgroup.WithContext(ctx)
	ended := make(chan batch)
	urgent, others := 0, 0
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		g.absorb()
		g.triage()
		g.lookAtBlocks(ctx)
		b, next := g.next(room{urgent: urgent < looksUrgent, others: others < looksOthers, hold: g.runner.about()})
		if len(b.ids) > 0 {
			if b.ahead = b.urgent && urgent < looksUrgent; b.ahead {
				urgent++
			} else {
				others++
			}
			looks.Go(func() error {
				err := g.look(ctx, b)
				select {
				case ended <- b:
				case <-ctx.Done():
				}
				return err
			})
			continue
		}
		timer.Reset(until(next))
		select {
		case <-ctx.Done():
		case <-g.wake:
		case <-timer.C:
		case b := <-ended:
			if b.ahead {
				urgent--
			} else {
				others--
			}
		}
	}
	if err := looks.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// until is how long to sleep; the zero time is none that anybody waits for.
func until(next time.Time) time.Duration {
	if next.IsZero() {
		return time.Hour
	}
	return max(0, time.Until(next))
}

// next is what is to be looked at now, or when it will be.
func (g *Guild) next(r room) (batch, time.Time) {
	now := time.Now()
	due, ranges := g.box.ranges(now)
	if len(due) > 0 {
		g.heal.resolve(due)
	}
	if g.box.waiting() > g.cfg.Crowd {
		g.runner.catchUp(causeCrowd, false)
	}
	b, next := g.box.take(now, r)
	if next.IsZero() || !ranges.IsZero() && ranges.Before(next) {
		next = ranges
	}
	return b, next
}

// triage lets those go first who are blocked, who hold a privileged role, or were just given one, and turns an overflow into a look at everybody.
func (g *Guild) triage() {
	if n := g.box.overflown(); n > 0 {
		g.trouble(TroubleOverflow, counted(n, "member"))
		g.runner.catchUp(causeOverflow, false)
	}
	if g.box.losses() {
		g.trouble(TroubleAuditLog, "too many entries came at once")
		g.heal.ask(healEntries)
	}
	now := time.Now()
	for _, id := range g.box.ask() {
		if g.isUrgent(id) {
			g.box.hurry(id, now)
		}
	}
}

// noQuiet are the permissions whose holders are looked at without waiting for quiet.
const noQuiet = audit.Privileged &^ audit.MentionEveryone

func (g *Guild) isUrgent(member snowflake.ID) bool {
	if g.cfg.Line.IsBlocked(member) {
		return true
	}
	held, roles := g.cfg.Sight.Holds(member)
	for i := range held.All() {
		if i < len(roles) && g.isPrivileged(roles[i]) {
			return true
		}
	}
	for _, role := range g.box.granted(member) {
		if i := slices.IndexFunc(roles, func(r audit.Role) bool { return r.ID == role }); i >= 0 && g.isPrivileged(roles[i]) {
			return true
		}
	}
	return false
}

func (g *Guild) isPrivileged(r audit.Role) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, named := g.privileged[r.ID]
	return named || r.Permissions&noQuiet != 0
}

// errSlow means that members could not be read in time.
var errSlow = errors.New("members could not be read in time")

// inTime bounds how long a look waits for its members, and does meanwhile what must be done before it goes on.
type inTime struct {
	reconcile.LiveGuilds
	within    time.Duration
	meanwhile func()
}

// Members satisfies reconcile.LiveGuilds.
func (t inTime) Members(ctx context.Context, ids []snowflake.ID) (audit.Guild, []audit.Member, error) {
	read, end := context.WithTimeoutCause(ctx, t.within, errSlow)
	defer end()
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(t.meanwhile)
	guild, members, err := t.LiveGuilds.Members(read, ids)
	if err != nil && ctx.Err() == nil && read.Err() != nil {
		err = errors.Join(errSlow, err)
	}
	return guild, members, err
}

// Counted satisfies reconcile.Counting, where the guild does.
func (t inTime) Counted(ctx context.Context) (reconcile.Picture, error) {
	if c, is := t.LiveGuilds.(reconcile.Counting); is {
		return c.Counted(ctx)
	}
	return t.Known(ctx)
}

// Visible satisfies reconcile.Sighted.
func (t inTime) Visible() bool {
	s, knows := t.LiveGuilds.(reconcile.Sighted)
	return !knows || s.Visible()
}

// look looks at a batch and sees to what is left to do about it. Only what must stop the whole guild is an error.
func (g *Guild) look(ctx context.Context, b batch) error {
	defer g.box.done(b)
	g.count.with(func(s *Stats) {
		s.Looks++
		s.LookedAt += uint64(len(b.ids))
	})
	// Who granted what is known before anything is concluded.
	kept := sync.OnceFunc(func() { g.keep(ctx, b.entries) })
	r, err := g.cfg.Line.One(ctx, b.ids, inTime{g.cfg.Guilds, g.cfg.ReadIn, kept}, g.cfg.Writer)
	kept()
	now := time.Now()
	switch {
	case err == nil:
		if g.count.ended(true) {
			g.trouble(TroubleLookOver, "")
		}
		g.count.done(b.firsts)
		g.after(r, b, now)
		return nil
	case ctx.Err() != nil:
		return nil
	case isFenced(err):
		return err
	case errors.Is(err, errSlow):
		g.trouble(TroubleSlow, counted(len(b.ids), "member"))
		g.runner.catchUp(causeSlow, false)
		g.retry(b.ids, b.tries, slowAgain, now)
		return nil
	}
	g.cfg.Log.WarnContext(ctx, "look failed", "guild", g.cfg.Guild, "members", len(b.ids), "tries", b.tries+1, "error", err)
	if g.count.ended(false) {
		g.trouble(TroubleLook, err.Error())
	}
	if r != nil { // it may have acted before
		g.told(r)
	}
	g.retry(b.ids, b.tries+1, backoff(b.tries), now)
	return nil
}

// isFenced reports whether this process must stop acting.
func isFenced(err error) bool { return errors.Is(err, storage.ErrFenced) }

// slowAgain is when members who could not be read are tried again, if the look at everybody has not come by then.
const slowAgain = time.Minute

func (g *Guild) retry(ids []snowflake.ID, tries int, in time.Duration, now time.Time) {
	for _, id := range ids {
		g.box.again(id, now, now.Add(in), tries)
	}
	nudge(g.wake)
}

// backoff is 1, 2, 4 … 60 s, and up to half as long again.
func backoff(tries int) time.Duration {
	d := min(time.Second<<min(tries, 6), time.Minute)
	return d + rand.N(d/2) //nolint:gosec // spreads load, guards nothing
}

// after sees to what a look left to do: Auth that is not believed, actions that did not come off, fights.
func (g *Guild) after(r *reconcile.Report, b batch, now time.Time) {
	if r == nil {
		return
	}
	g.told(r)
	if r.Look != nil {
		if r.Look.Verdict.Health != audit.Healthy {
			g.awaitAuth(r.Look.Verdict.Health, b.ids)
			return
		}
		g.authBelieved()
	}
	wrong := map[snowflake.ID]struct{}{}
	for _, o := range r.Outcomes {
		switch again, in := lookAgain(o); {
		case again && in > 0:
			g.box.again(o.Action.Member, now, now.Add(in), 0)
		case again:
			wrong[o.Action.Member] = struct{}{}
		}
	}
	for id := range wrong {
		if b.tries+1 >= mostTries {
			g.count.with(func(s *Stats) { s.GaveUp++ })
			g.trouble(TroubleGaveUp, id.String())
			continue
		}
		g.box.again(id, now, now.Add(backoff(b.tries)), b.tries+1)
	}
	nudge(g.wake)
}

// mostTries is how often an action that does not come off is tried before it is left alone.
const mostTries = 5

// Codes of actions that the line did not try, and that are worth another look.
const (
	codeRowFresh   = "auth_row_fresh"
	codeNoSlot     = "no_slot"
	codeUnreadable = "member_unreadable"
	codeFight      = "fight"
)

// lookAgain reports whether an outcome asks for another look: after a known time, or (zero) with growing patience.
func lookAgain(o audit.Outcome) (again bool, in time.Duration) {
	switch o.Result {
	case audit.FailedCall, audit.NotApplied:
		return true, 0
	case audit.NotTried:
		if o.Code == codeRowFresh { // Auth may still be writing the member's roles
			return true, reconcile.RowFresh + time.Second
		}
		return o.Code == codeNoSlot || o.Code == codeUnreadable, 0
	case audit.Done, audit.AlreadySo, audit.Gone, audit.Refused, audit.Collateral:
	}
	return false, 0
}

// told passes on what a look came to.
func (g *Guild) told(r *reconcile.Report) {
	f := r.Counts.Findings
	if f.Opened+f.Changed+f.Closed > 0 || len(r.Outcomes)+len(r.PutOff) > 0 {
		g.cfg.Teller.Looked(r)
	}
	g.tellOutcomes(r)
}

// tellOutcomes tells of what people must mend.
func (g *Guild) tellOutcomes(r *reconcile.Report) {
	if heldByGate(r) {
		g.blocksHeld.Store(true)
	}
	for _, back := range r.Rejoins {
		g.trouble(TroubleRejoins, fmt.Sprintf("%d %d", back.Member, back.Times))
	}
	for _, a := range r.Plan.Actions {
		if slices.ContainsFunc(a.Held, func(by audit.By) bool { return by.String() == codeFight }) {
			g.fight(a.Action)
		}
	}
	for _, o := range r.Outcomes {
		if o.Code == codeFight {
			g.fight(o.Action)
		}
		if o.Result == audit.Refused { // the bot's place may have changed
			nudge(g.reach)
		}
	}
}

// fight tells, once an hour, that somebody gives back what we take.
func (g *Guild) fight(a audit.Action) {
	a.Budget = audit.Ordinary
	now := time.Now()
	g.mu.Lock()
	maps.DeleteFunc(g.fights, func(_ audit.Action, at time.Time) bool { return now.Sub(at) > fightAgain })
	_, told := g.fights[a]
	if !told && len(g.fights) < g.cfg.Bound {
		g.fights[a] = now
	}
	g.mu.Unlock()
	if !told {
		g.count.with(func(s *Stats) { s.Fights++ })
		g.trouble(TroubleFight, a.Member.String()+" "+a.Role.String())
	}
}

// fightAgain is how long a fight is not told of again.
const fightAgain = time.Hour

// awaitAuth keeps members until Auth is believed again.
func (g *Guild) awaitAuth(h audit.Health, ids []snowflake.ID) {
	if g.wait.add(ids, g.cfg.Bound) {
		g.trouble(TroubleAuthWait, h.String())
	}
}

// authBelieved lets those go who waited for Auth.
func (g *Guild) authBelieved() {
	ids, everyone := g.wait.release()
	if everyone {
		g.runner.catchUp(causeAuth, false)
		return
	}
	g.Mark("auth is believed again", ids...)
}

// AuthBack says that Auth can be read again: whoever waits for it is tried at once.
func (g *Guild) AuthBack() {
	ids := g.wait.some(mostNamed)
	if _, everyone := g.wait.size(); everyone && g.cfg.Bot != 0 {
		ids = []snowflake.ID{g.cfg.Bot} // a look at ourselves says how Auth is
	}
	g.Mark("auth can be read again", ids...)
}
