package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/storage"
	"gatecamp/trail"
)

// Codes of actions that were not tried because of us or the way to Discord, not because of the member.
const (
	codeNoSlot     = "no_slot"
	codeUnreadable = "member_unreadable"
	codeNotSent    = "not_sent"
)

// offers is how often an action is taken to the line when Discord's limits keep the call from being sent: another program with the
// same token may have used the place up.
const offers = 3

// codeRowFresh says that the member's row in Auth changed a moment ago: Auth may still be writing the member's roles.
const codeRowFresh = "auth_row_fresh"

// codeLifted says that the block was lifted after the last look at the member.
const codeLifted = "block_lifted"

// RowFresh is how long a change in Auth is left to settle before anything is done to its member.
const RowFresh = 2 * time.Minute

// CallWithin bounds one call to Discord. A stop does not cut it off: a call in hand is finished and its outcome recorded.
const CallWithin = 4 * time.Second

// ofOneMember are the first actions, as far as they are about one member.
func ofOneMember(actions []audit.Planned) []audit.Planned {
	for i, a := range actions {
		if a.Member != actions[0].Member {
			return actions[:i]
		}
	}
	return actions
}

// act takes a member's first action, and those that go with it in one call, through all that stands before it: a place in the line,
// a fresh look, the recorded intention of each, the call. It returns how many it took, and the single-use override that something
// was done under, if any. With again it takes none if nothing could be sent: they are to be offered once more.
func (e *Engine) act(ctx context.Context, r *Report, todo []audit.Planned, again bool, guilds Guilds, w Writer) (n int, override int64, err error) {
	slot, fresh, err := e.place(ctx, r, todo, guilds, w)
	if err != nil {
		return 0, 0, err
	}
	if slot == nil {
		return 1, 0, e.notTried(ctx, r, todo[0], audit.NotTried, codeNoSlot)
	}
	defer slot.Release()
	batch := todo[:min(max(slot.Covers(), 1), len(todo))]
	var going []intended
	for _, a := range batch {
		id, err := e.intend(ctx, r, a, fresh)
		if err != nil {
			return 0, 0, errors.Join(err, e.recall(ctx, r, going))
		}
		if id != 0 {
			going = append(going, intended{a, id})
		}
	}
	if len(going) == 0 {
		return len(batch), 0, nil
	}
	before := len(r.Outcomes)
	done, err := e.send(ctx, r, slot, going)
	if done {
		override = fresh.override
	}
	if err == nil && again && notSent(r.Outcomes[before:]) {
		r.Outcomes = r.Outcomes[:before]
		return 0, override, nil
	}
	return len(batch), override, err
}

// notSent reports whether Discord has heard of none of it.
func notSent(outcomes []audit.Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o audit.Outcome) bool { return o.Result != audit.NotTried || o.Code != codeNotSent })
}

// intended is an action whose intention is recorded.
type intended struct {
	audit.Planned
	id int64
}

// place waits for a place in the line and then looks at the member afresh. Whether Auth knows the member decides how it may be
// written: if that changed while it waited, it waits anew. No slot and no error mean that there is no place.
func (e *Engine) place(ctx context.Context, r *Report, todo []audit.Planned, guilds Guilds, w Writer) (Slot, second, error) {
	linked := r.Look.knows(todo[0].Member)
	for {
		slot, err := w.Reserve(ctx, e.offer(ctx, r, todo, linked))
		if err != nil && ctx.Err() != nil {
			return nil, second{}, context.Cause(ctx)
		}
		if err != nil {
			e.cfg.Log.WarnContext(ctx, "no place in the line", "member", todo[0].Member, "error", err)
			return nil, second{}, nil
		}
		fresh, err := e.lookAgain(ctx, r, todo[0].Member, guilds)
		if err == nil && (linked || !fresh.linked || fresh.wantsNothing(todo[0])) {
			return slot, fresh, nil
		}
		slot.Release()
		if err != nil {
			return nil, fresh, err
		}
		linked = true // so this happens once
	}
}

func (e *Engine) offer(ctx context.Context, r *Report, todo []audit.Planned, linked bool) Offer {
	o := Offer{Linked: linked, Live: r.live(), Actions: make([]audit.Action, len(todo))}
	for i, a := range todo {
		o.Actions[i] = a.Action
	}
	// The report goes on changing; what is found later belongs to the run as it is now.
	then := &Report{Run: r.Run, Plan: audit.Plan{Digest: r.Plan.Digest}}
	ctx = context.WithoutCancel(ctx)
	o.Later = func(found audit.Outcome) {
		i := slices.Index(o.Actions, found.Action)
		if i < 0 {
			return
		}
		if err := e.noteAlone(ctx, then, todo[i], found.Result, found.Code); err != nil {
			e.cfg.Log.ErrorContext(ctx, "what was found later is not recorded", "member", found.Action.Member, "code", found.Code, "error", err)
		}
	}
	return o
}

// intend records the intention if nothing speaks against the action now; 0: something does, and that is recorded. Gates, brakes and
// intention are one transaction: a pause comes before it or after it.
func (e *Engine) intend(ctx context.Context, r *Report, a audit.Planned, fresh second) (id int64, err error) {
	e.last.Lock()
	defer e.last.Unlock()
	var result audit.Result
	var code string
	err = e.db.Together(ctx, func(db storage.Roles) (err error) {
		result, code, err = e.stillRight(ctx, db, r, a, fresh)
		if err != nil {
			return err
		}
		if result != 0 {
			return e.note(ctx, db, r, a, result, code)
		}
		if err := e.entry(ctx, db, r, a, trail.Planned, "intended"); err != nil {
			return err
		}
		stored, err := db.Intend(ctx, e.cfg.Fence, storage.Action{
			Guild: e.cfg.Guild, Run: r.Run.ID, Plan: r.Plan.Digest, Key: a.Key, Member: a.Member, Kind: a.Kind.String(), Role: a.Role,
			Budget: storedBudget(a.Action), Live: r.unasked(), Actor: r.Run.Order.Actor, Intended: e.now(),
		})
		id = stored.ID
		return err
	})
	switch {
	case errors.Is(err, storage.ErrConflict):
		return 0, e.notTried(ctx, r, a, audit.NotTried, "in_hand")
	case err != nil:
		return 0, err
	case result != 0:
		r.Outcomes = append(r.Outcomes, audit.Outcome{Action: a.Action, Result: result, Code: code})
	}
	return id, nil
}

// send makes the call and records what became of each action. Done says that something may have happened to the member.
func (e *Engine) send(ctx context.Context, r *Report, slot Slot, going []intended) (done bool, err error) {
	actions := make([]audit.Action, len(going))
	for i, a := range going {
		actions[i] = a.Action
	}
	// What is intended is done and recorded, even if the context ends meanwhile.
	ctx = context.WithoutCancel(ctx)
	call, end := context.WithTimeout(ctx, CallWithin)
	defer end()
	outcomes := slot.Do(call, actions, auditReason(r.Run, going))
	for i, a := range going {
		o := audit.Outcome{Action: a.Action, Result: audit.FailedCall, Code: "unanswered"}
		if i < len(outcomes) {
			o = outcomes[i]
		}
		if failed := e.settle(ctx, r, a, o); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		done = done || !o.Result.GivesBack()
	}
	return done, err
}

func (e *Engine) settle(ctx context.Context, r *Report, a intended, o audit.Outcome) error {
	r.Outcomes = append(r.Outcomes, o)
	return e.db.Together(ctx, func(db storage.Roles) error {
		if err := db.Settle(ctx, a.id, o.Result.String(), o.Code, e.now()); err != nil {
			return err
		}
		if err := e.note(ctx, db, r, a.Planned, o.Result, o.Code); err != nil {
			return err
		}
		if a.Kind == audit.Contain && o.Result == audit.Done {
			if err := e.keepInverse(ctx, db, r, a.Planned); err != nil {
				return err
			}
		}
		// What went though nobody named it is said aloud, and what gives it back is kept.
		for _, role := range o.Lost() {
			e.cfg.Log.ErrorContext(ctx, "a role was lost that the plan did not name", "member", a.Member, "role", role, "run", r.Run.ID)
			inverse := audit.Planned{Action: audit.Action{Kind: audit.GiveRoleBack, Member: a.Member, Role: role}, Key: a.Key}
			if err := e.entry(ctx, db, r, inverse, trail.Planned, o.Result.String()); err != nil {
				return err
			}
		}
		return nil
	})
}

// recall settles intentions that are not carried out after all.
func (e *Engine) recall(ctx context.Context, r *Report, going []intended) (err error) {
	for _, a := range going {
		o := audit.Outcome{Action: a.Action, Result: audit.NotTried, Code: "stopped"}
		err = errors.Join(err, e.settle(context.WithoutCancel(ctx), r, a, o))
	}
	return err
}

func (e *Engine) notTried(ctx context.Context, r *Report, a audit.Planned, result audit.Result, code string) error {
	r.Outcomes = append(r.Outcomes, audit.Outcome{Action: a.Action, Result: result, Code: code})
	return e.noteAlone(ctx, r, a, result, code)
}

// auditReason is what Discord's audit log shows beside the change: who, why and where to look it up.
func auditReason(run storage.Run, going []intended) string {
	keys := make([]string, len(going))
	for i, a := range going {
		keys[i] = a.Key
	}
	what := "event"
	if run.ID != 0 {
		what = fmt.Sprintf("run %d", run.ID)
	}
	return fmt.Sprintf("gatecamp %s by %s %s", what, run.Order.Actor, strings.Join(keys, " "))
}

// second is what a look right before a write found of the member: result 0 means that there is somebody to decide about.
type second struct {
	result   audit.Result
	code     string
	look     *Look
	decision audit.Decision
	linked   bool  // Auth knows the member
	fresh    bool  // the member's row in Auth changed a moment ago
	override int64 // the single-use override that was decided under; zero: none
}

func (s *second) wantsNothing(a audit.Planned) bool {
	return s.result != 0 || noLonger(a.Action, &s.decision, s.look.Scene) != ""
}

// lookAgain looks at the member once more, with everything read afresh: Discord, Auth and the database side by side.
func (e *Engine) lookAgain(ctx context.Context, r *Report, id snowflake.ID, guilds Guilds) (s second, err error) {
	wish := Wish{Act: r.Look.Scene.Ordered, Again: true, Of: []snowflake.ID{id}}
	var g *gathered
	var sides errgroup.Group
	ask := func() (err error) {
		g, err = e.gather(ctx, wish)
		return err
	}
	if r.live() { // a live read of a member does not wait for its turn: both sides are of one moment
		sides.Go(ask)
	}
	guild, member, err := guilds.Member(ctx, id)
	if err == nil && !r.live() { // a run's read may have waited long: what was known before it is not asked now
		sides.Go(ask)
	}
	failed := sides.Wait()
	switch {
	case errors.Is(err, ErrNoMember):
		return second{result: audit.Gone, code: "member_left"}, nil
	case err != nil && ctx.Err() != nil:
		return s, context.Cause(ctx)
	case err != nil:
		e.cfg.Log.WarnContext(ctx, "member not readable", "member", id, "error", err)
		return second{result: audit.NotTried, code: codeUnreadable}, nil
	case failed != nil:
		return s, failed
	}
	pic := r.Look.Picture
	pic.Guild, pic.Away = guild, away(guilds)
	if s.look, err = e.compose(ctx, pic, wish, g); err != nil {
		return s, err
	}
	f := s.look.Scene.Facts(member)
	if s.decision = audit.Decide(f, audit.Classify(f), &s.look.Policy); r.Contain != nil {
		s.decision = audit.Containment(f)
	}
	if s.decision.SingleUse {
		s.override = s.look.overrides[id].ID
	}
	s.linked = len(f.Linked) > 0 || len(f.Known) > 0
	s.fresh = rowFresh(r.Look, s.look, f)
	return s, nil
}

// knows reports whether Auth may be writing the member's roles: an account is linked, or was.
func (l *Look) knows(member snowflake.ID) bool {
	f := l.Scene.Facts(audit.Member{ID: member})
	return len(f.Linked) > 0 || len(f.Known) > 0
}

// rowFresh reports whether a row of Auth about the member changed between two reads of the last RowFresh, or since the first look's
// own read: also one that is no longer linked to them. A first read changes nothing.
func rowFresh(before, now *Look, f audit.Facts) bool {
	member := f.Member.ID
	var users []int64
	for _, i := range slices.Concat(f.Linked, f.Known) {
		a := now.Scene.Auth.Accounts[i]
		users = append(users, a.User)
		if before.AuthError != nil {
			continue
		}
		if was, known := before.whole.Account(a.User); !known || was.Revision != a.Revision {
			return true
		}
	}
	if len(f.Linked) == 0 && before.AuthError == nil && len(before.whole.Linked(member)) > 0 && now.AuthError == nil { // the link went since
		return true
	}
	return slices.ContainsFunc(now.changed, func(c storage.AccountRevision) bool {
		return c.Discord == member || c.Was == member || slices.Contains(users, c.User)
	})
}

// stillRight asks whether the fresh look still wants the action, nothing holds it, and the run is still ours to work on. Result 0:
// all of that.
func (e *Engine) stillRight(ctx context.Context, db storage.Roles, r *Report, a audit.Planned, s second) (audit.Result, string, error) {
	if s.result != 0 {
		return s.result, s.code, nil
	}
	if why := noLonger(a.Action, &s.decision, s.look.Scene); why != "" {
		return audit.NotTried, why, nil
	}
	if r.unasked() && s.look.realtime(&s.decision) != audit.RealtimeAct {
		return audit.NotTried, "now_" + s.decision.Category.String(), nil
	}
	if s.fresh && a.Budget != audit.BlockBudget && a.Kind != audit.Contain { // those need nothing of Auth
		return audit.NotTried, codeRowFresh, nil
	}
	if a.Budget == audit.BlockBudget {
		if still, err := e.stillBlocked(ctx, db, s.look, a.Member); err != nil || !still {
			return audit.NotTried, codeLifted, err
		}
	}
	held, err := e.heldNow(ctx, db, r, s.look, a, s.decision)
	if err != nil {
		return 0, "", err
	}
	if held != "" {
		return audit.NotTried, held, nil
	}
	if r.live() {
		return 0, "", nil
	}
	// Last of all: a stop by a person reaches the run before its next write.
	return 0, "", e.alive(ctx, db, r.Run.ID, nil)
}
