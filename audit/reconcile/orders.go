package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Order stores a run as it is ordered now: with the policy version and the overrides in force, so that whoever takes it up, now or
// after a crash, does exactly this.
func (e *Engine) Order(ctx context.Context, o storage.Order) (_ storage.Run, err error) {
	defer wrap.Err(&err, "order a run")
	at := e.now()
	if o.Kind == KindSnapshot || o.Mode == audit.Report.String() {
		o.DryRun = true // whatever overrides and blocks ask for
	}
	if o.PolicyVersion == 0 {
		if _, o.PolicyVersion, err = e.Policy(ctx, 0); err != nil {
			return storage.Run{}, err
		}
	}
	rows, err := e.db.ExceptionsAt(ctx, e.cfg.Guild, at)
	if err != nil {
		return storage.Run{}, err
	}
	overrides := slices.DeleteFunc(rows, func(x storage.Exception) bool { return x.Table != storage.Overrides })
	if len(overrides) == 0 {
		overrides = []storage.Exception{} // none were in force: that, too, is what was ordered
	}
	o.Overrides = encode(overrides)
	return e.db.CreateRun(ctx, e.cfg.Guild, o, at)
}

// OrderPlan orders that exactly one stored plan is performed, under the run's action that it was made with. With once, that one plan
// passes every brake: the pass is stored before the first write, and is used up when the run ends.
func (e *Engine) OrderPlan(ctx context.Context, digest string, once bool, within time.Duration, by storage.Author) (_ storage.Run, err error) {
	defer wrap.Err(&err, "order plan %.12s", digest)
	plan, err := e.db.Plan(ctx, e.cfg.Guild, digest)
	if err != nil {
		return storage.Run{}, err
	}
	made, err := e.db.Run(ctx, plan.Run)
	if err != nil {
		return storage.Run{}, err
	}
	run, err := e.Order(ctx, storage.Order{Kind: KindApply, Mode: made.Order.Mode, Plan: digest, Actor: by.Actor, Origin: by.Origin, Deadline: e.now().Add(within)})
	if err != nil || !once {
		return run, err
	}
	return run, e.db.GivePass(ctx, storage.Pass{Guild: e.cfg.Guild, Digest: digest, Run: run.ID, Actor: by.Actor, Reason: by.Reason, At: by.At})
}

// DeadAfter is how long a run may go without a sign of life before another process may take it up.
const DeadAfter = 15 * time.Second

// TakeOver makes a run ready to be resumed. One that is at work is left alone; one whose process gave no sign of life for DeadAfter,
// counted from its last one and not from its start, is marked as interrupted first.
func (e *Engine) TakeOver(ctx context.Context, id int64) (_ storage.Run, err error) {
	defer wrap.Err(&err, "take over run %d", id)
	run, err := e.db.Run(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && run.Guild != e.cfg.Guild {
		return run, noRun(id)
	}
	if err != nil {
		return run, err
	}
	switch Hindered(run, e.now()) {
	case Over:
		return run, problem.New(problem.Refused, fmt.Sprintf("run %d is %s; nothing follows that", id, run.State), "order a new run with `gatecamp audit run`")
	case AtWork:
		return run, problem.New(problem.Refused, fmt.Sprintf("run %d is at work (%s, last sign of life %s); nothing was changed", id, run.Owner, run.Heartbeat.Format(time.RFC3339)),
			fmt.Sprintf("wait for it, or stop it with `gatecamp audit cancel %d`; a run that gives no sign of life for %s counts as dead and can then be resumed", id, DeadAfter))
	case Free:
	}
	if run.State != storage.Running {
		return run, nil
	}
	return e.db.MoveRun(ctx, storage.Move{Run: id, From: storage.Running, To: storage.Interrupted, At: e.now(), Error: "no_sign_of_life"})
}

func noRun(id int64) *problem.Problem {
	return problem.New(problem.Usage, fmt.Sprintf("there is no run %d in this guild", id), "see `gatecamp audit history`")
}

// Person is who asks for a change of an operator table.
type Person struct {
	Ref     string // "console:root", "discord:ID"
	Discord []snowflake.ID
	Users   []int64 // Auth users
}

// Console reports whether it is somebody at the console: they may do everything, and never count as the second person.
func (p Person) Console() bool { return strings.HasPrefix(p.Ref, "console:") }

// Except adds a row to an operator table. A row in favour of the person's own account needs another person who approves it.
func (e *Engine) Except(ctx context.Context, by Person, approver *Person, x storage.Exception, a storage.Author) (_ storage.Exception, err error) {
	defer wrap.Err(&err, "add to %s", x.Table)
	if by.favours(x) {
		if err := by.second(approver, x); err != nil {
			return x, err
		}
		x.Approver = approver.Ref
	}
	x.Guild = e.cfg.Guild
	stored, err := e.db.AddException(ctx, x, a)
	if errors.Is(err, storage.ErrConflict) {
		return x, problem.New(problem.Usage, fmt.Sprintf("%d already stands in the table %s; nothing was changed", x.Subject, x.Table), "remove that entry first, or leave it").Because(err)
	}
	return stored, err
}

// Lift ends a row of an operator table. A decision about the person's own account, or what ties an account to them, is not theirs
// alone to lift: that needs another person, as adding it does.
func (e *Engine) Lift(ctx context.Context, by Person, approver *Person, x storage.Exception, a storage.Author) (_ storage.Exception, err error) {
	defer wrap.Err(&err, "remove from %s", x.Table)
	if by.NeedsSecond(x, true) {
		if err := by.second(approver, x); err != nil {
			return x, err
		}
	}
	stored, err := e.db.RemoveException(ctx, x.Table, e.cfg.Guild, x.ID, a)
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return x, problem.New(problem.Usage, fmt.Sprintf("entry %d of the table %s is gone already; nothing was changed", x.ID, x.Table), "").Because(err)
	}
	return stored, err
}

// second says why somebody cannot be the second person for a row; nobody can who is the first, gains by it, or sits at the console,
// where names prove nothing.
func (p Person) second(approver *Person, x storage.Exception) error {
	switch {
	case approver == nil:
		return ownAccount(x, "ask somebody else to do it")
	case approver.Ref == p.Ref || approver.Console() || approver.favours(x):
		return ownAccount(x, fmt.Sprintf("%s cannot be the second person", approver.Ref))
	}
	return nil
}

func ownAccount(x storage.Exception, cure string) *problem.Problem {
	return problem.New(problem.Refused, fmt.Sprintf("an entry in %s about one's own account needs another person; nothing was changed", x.Table), cure)
}

// favours reports whether a row is about the person's own account.
func (p Person) favours(x storage.Exception) bool {
	switch x.Table {
	case storage.Identities:
		return slices.Contains(p.Discord, x.Subject) || slices.Contains(p.Users, x.User)
	case storage.Protections, storage.BotAccounts, storage.Overrides:
		return slices.Contains(p.Discord, x.Subject)
	case storage.Exemptions:
	}
	return false
}
