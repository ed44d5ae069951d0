package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gatecamp/audit/reconcile"
	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// takeEvery is how often the owner looks for what consoles ask.
const takeEvery = 300 * time.Millisecond

// takeCommands does what consoles ask, until the context ends. What is not finished by then is left to the next owner.
func (t *tenure) takeCommands(ctx context.Context) error {
	var all errgroup.Group
	for wait(ctx, takeEvery) == nil {
		for _, h := range t.all() {
			taken, err := t.db.TakeCommands(ctx, t.lease.Fence, h.id, t.now().UTC())
			if err != nil && ctx.Err() == nil {
				t.log.WarnContext(ctx, "what consoles ask cannot be read", "error", err)
			}
			for _, c := range taken {
				all.Go(func() error { h.obey(ctx, c); return nil })
			}
		}
	}
	return all.Wait()
}

// obey does what a console asks, and leaves the answer.
func (h *house) obey(ctx context.Context, c storage.Command) {
	h.log.InfoContext(ctx, "asked by a console", "kind", c.Kind, "command", c.ID, "actor", c.Actor)
	o := &obedience{house: h, command: c}
	o.filed = h.filed(c, &o.out, &o.beside)
	err := o.do(ctx)
	if ctx.Err() != nil {
		return // the next owner takes it up again
	}
	a := orderAnswer{Out: o.out.String(), Beside: o.beside.String(), Exit: exitCode(err)}
	if err != nil {
		a.Problem = describe(err)
		h.log.InfoContext(ctx, "asked by a console: not done as asked", "command", c.ID, "error", err)
	}
	data, broken := json.Marshal(a)
	if err := errors.Join(broken, h.t.db.FinishCommand(ctx, c.ID, h.t.lease.Owner, h.t.now().UTC(), data, a.Problem)); err != nil {
		h.log.ErrorContext(ctx, "a console was not answered", "command", c.ID, "error", err)
	}
}

// filed is a session that prints what a console would.
func (h *house) filed(c storage.Command, out, beside *bytes.Buffer) *filed {
	user := strings.TrimPrefix(c.Actor, "console:")
	s := &session{console: &console{out: out, err: beside, now: h.t.now, user: user}, cfg: h.t.cfg, db: h.t.db, guild: h.id}
	return &filed{session: s, live: true, auth: "read now", file: snapshot.New("Discord"), guilds: h.live, engine: h.engine}
}

// obedience is one command at work.
type obedience struct {
	*house
	command     storage.Command
	filed       *filed
	out, beside bytes.Buffer
}

// do finds or makes the run that was asked for, waits for its end and prints it; what is no run is done at once.
func (o *obedience) do(ctx context.Context) error {
	if o.command.Kind == askBlock {
		return o.keepOut(ctx)
	}
	var args orderArgs
	if err := json.Unmarshal(o.command.Args, &args); err != nil {
		return problem.New(problem.Usage, "the serving process does not understand what was asked; nothing was done", "use the same version of gatecamp for both").Because(err)
	}
	run, err := o.begun(ctx)
	if errors.Is(err, storage.ErrNotFound) {
		run, err = o.begin(ctx, args)
	}
	if err != nil {
		return err
	}
	return o.follow(ctx, run, args.JSON)
}

// begun is the run that an earlier owner began for the same command; storage.ErrNotFound if none did.
func (o *obedience) begun(ctx context.Context) (storage.Run, error) {
	_, lines, err := o.t.db.FollowCommand(ctx, o.command.ID, 0)
	if err != nil {
		return storage.Run{}, err
	}
	for _, line := range lines {
		var news orderNews
		if json.Unmarshal(line.Data, &news) == nil && news.Run != 0 {
			return o.t.db.Run(ctx, news.Run)
		}
	}
	return storage.Run{}, fmt.Errorf("command %d has no run: %w", o.command.ID, storage.ErrNotFound)
}

// begin orders the run, and says which it is before anything else happens.
func (o *obedience) begin(ctx context.Context, args orderArgs) (run storage.Run, err error) {
	deadline := o.t.cfg.RunDeadline
	switch o.command.Kind {
	case askRun:
		run, err = o.engine.Order(ctx, storage.Order{
			Kind: reconcile.KindLive, Mode: args.Action, DryRun: args.DryRun, Limit: args.Limit, Members: args.Members, Actor: o.command.Actor, Origin: "console",
			Deadline: o.t.now().Add(deadline),
		})
	case askApply:
		by := storage.Author{Actor: o.command.Actor, Origin: "console", Reason: args.Reason, At: o.t.now().UTC()}
		run, err = o.engine.OrderPlan(ctx, args.Digest, args.Once, deadline, by)
	case askResume:
		run, err = o.engine.TakeOver(ctx, args.Run)
	default:
		return run, problem.New(problem.Usage, fmt.Sprintf("the serving process does not know %q; nothing was done", o.command.Kind), "use the same version of gatecamp for both")
	}
	if err != nil {
		return run, err
	}
	if err := o.report(ctx, orderNews{Run: run.ID}); err != nil {
		return run, err
	}
	if args.Invocation != 0 {
		err = o.t.db.StartedRun(ctx, args.Invocation, run.ID)
	}
	return run, err
}

func (o *obedience) report(ctx context.Context, news orderNews) error {
	data, err := json.Marshal(news)
	if err != nil {
		return err
	}
	return o.t.db.ReportProgress(ctx, o.command.ID, o.t.lease.Owner, o.t.now().UTC(), data)
}

// newsEvery is how often a console is told how far its run came.
const newsEvery = time.Second

// follow starts the run and waits for its end.
func (o *obedience) follow(ctx context.Context, run storage.Run, asJSON bool) error {
	heard := o.ears.listen(run.ID)
	defer o.ears.forget(run.ID, heard)
	run, err := o.t.db.Run(ctx, run.ID)
	if err != nil {
		return err
	}
	if run.State.IsEnd() {
		return o.told(run)
	}
	if run.State != storage.Running {
		if err := o.keeper.Start(run); err != nil {
			return err
		}
	}
	tick := time.NewTicker(newsEvery)
	defer tick.Stop()
	var last [2]int
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case end := <-heard.end:
			if end.report == nil {
				return end.err
			}
			return o.filed.tellEnd(end.report, end.err, asJSON)
		case <-tick.C:
		}
		select {
		case now := <-heard.progress:
			if now != last {
				last = now
				if err := o.report(ctx, orderNews{Run: run.ID, Done: now[0], Of: now[1]}); err != nil && ctx.Err() == nil {
					o.log.WarnContext(ctx, "a console is not told how far its run came", "error", err)
				}
			}
		default:
		}
	}
}

// told is the answer about a run that ended before this process could look.
func (o *obedience) told(run storage.Run) error {
	o.filed.say("Run %d on Discord: %s; see `gatecamp audit history` and `gatecamp trail list --run %d`.", run.ID, stateWords(run.State), run.ID)
	if run.State != storage.Succeeded {
		return problem.New(problem.Failed, fmt.Sprintf("run %d: %s", run.ID, stateWords(run.State)), "")
	}
	return nil
}
