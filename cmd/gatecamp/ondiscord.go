package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// connected reports whether a bot's token is set; without one nothing can look at the guild itself.
func (c *console) connected(ctx context.Context) bool {
	cfg, err := c.config(ctx)
	return err != nil || cfg.DiscordToken.IsSet() // settings that are wrong are told by whoever needs them
}

// guildAt makes a session about the guild of a file, or of the guild itself where none is named.
func (c *console) guildAt(ctx context.Context, path string) (*filed, func() error, error) {
	if path != "" {
		return c.onFile(ctx, path)
	}
	f, done, err := c.onDiscord(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := f.open(ctx, storage.Fence{}, ""); err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return f, done, nil
}

// onDiscord makes a session about the guild itself; open connects it. Done closes everything, in the order opposite to opening.
func (c *console) onDiscord(ctx context.Context) (_ *filed, done func() error, err error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	f := &filed{session: s, live: true, auth: "read now", closers: []func() error{s.db.Close}}
	if s.guild, err = s.chooseGuild(ctx); err != nil {
		return nil, nil, errors.Join(err, f.close())
	}
	f.file = snapshot.New("Discord") // names of people are not asked for: they are shown by id
	return f, f.close, nil
}

func (f *filed) close() (err error) {
	for _, end := range slices.Backward(f.closers) {
		err = errors.Join(err, end())
	}
	f.closers = nil
	return err
}

// open connects to Auth and Discord. With a fence the engine may act under it.
func (f *filed) open(ctx context.Context, fence storage.Fence, owner string) error {
	source, end, err := f.session.auth()
	if err != nil {
		return err
	}
	f.closers = append(f.closers, end)
	guild, done, err := f.connect(ctx)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, done)
	if owner == "" {
		owner = f.actor() + " " + rand.Text()[:8]
	}
	f.guilds, f.client = guild, guild.client
	f.engine = reconcile.New(f.db, source, reconcile.Config{Guild: f.session.guild, Fence: fence, Owner: owner, Immune: immuneOf(&f.session.cfg), Now: f.now, Log: f.log(), Progress: f.progress()})
	if fence != (storage.Fence{}) {
		f.writer = guild
		f.troubled(guild)
	}
	return nil
}

// progressEvery is how often a person who waits is told how far a run came.
const progressEvery = 5 * time.Second

// progress tells on standard error how far a run came, and when it will about be done at this pace.
func (f *filed) progress() func(run int64, done, of int) {
	var p pace
	return func(_ int64, done, of int) { p.went(f.session, done, of) }
}

// pace tells a person who waits how far a run came, now and then.
type pace struct {
	began, told time.Time
	first       int // how much was done when it was first told
}

func (p *pace) went(s *session, done, of int) {
	now := time.Now()
	if p.began.IsZero() {
		p.began, p.told, p.first = now, now, done-1
	}
	if now.Sub(p.told) < progressEvery || done == of {
		return
	}
	p.told = now
	left := now.Sub(p.began) / time.Duration(done-p.first) * time.Duration(of-done)
	fmt.Fprintf(s.err, "gatecamp: %d of %s behind us, about %s to go\n", done, count(of, "change", "changes"), left.Round(time.Second))
}

// act opens the session for changes: it takes the lease of the one process that acts, keeps it until done, and settles what an
// earlier process left open. The context it returns ends when the lease is lost.
func (f *filed) act(ctx context.Context) (context.Context, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	owner := storage.Owner{ID: f.actor() + " " + rand.Text(), Host: host, PID: os.Getpid(), Since: f.now().UTC()}
	shard, err := f.shardOf(ctx, f.session.guild)
	if err != nil {
		return ctx, err
	}
	lease, err := f.db.AcquireLease(ctx, shard, owner)
	if held, is := errors.AsType[*storage.HeldError](err); is {
		return ctx, refuse("lease_held", fmt.Sprintf("process %d on %s acts for this guild since %s; nothing was changed", held.Holder.PID, held.Holder.Host, eveTime(held.Holder.Since)),
			"order it there, or stop that process first")
	}
	if err != nil {
		return ctx, err
	}
	acting, lost := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.renew(acting, lease.Fence, lost)
	}()
	f.closers = append(f.closers, func() error {
		lost(nil)
		<-ended
		err := f.db.ReleaseLease(context.WithoutCancel(ctx), lease.Fence)
		if errors.Is(err, storage.ErrFenced) {
			return nil
		}
		return err
	})
	if lease.Taken { // a call of the one before may still be under way
		if err := wait(acting, reconcile.CallWithin); err != nil {
			return acting, err
		}
	}
	if err := f.open(acting, lease.Fence, owner.ID); err != nil {
		return acting, err
	}
	settled, err := f.engine.Recover(acting, f.guilds)
	if settled > 0 {
		fmt.Fprintf(f.err, "gatecamp: %s that an earlier process left open: looked at and settled\n", count(settled, "change", "changes"))
	}
	return acting, err
}

// renewEvery is how often a lease is prolonged; it lasts storage.LeaseLength.
const renewEvery = 3 * time.Second

func (f *filed) renew(ctx context.Context, fence storage.Fence, lost context.CancelCauseFunc) {
	for wait(ctx, renewEvery) == nil {
		_, err := f.db.RenewLease(ctx, fence)
		if errors.Is(err, storage.ErrFenced) {
			lost(storage.ErrFenced)
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// auditRunLive is a run on the guild itself.
func (c *console) auditRunLive(cmd *cobra.Command, args []string, o runOrder, only []snowflake.ID) (err error) {
	ctx := cmd.Context()
	f, done, err := c.onDiscord(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	v := f.invocation(auditRunCommand, redactArgs(cmd, args))
	if err := f.mayAct(ctx, o); err != nil {
		return f.noteUnlessFailed(ctx, v, err)
	}
	if served, err := f.served(ctx); served || err != nil {
		if err == nil {
			v, err = f.admit(ctx, v)
		}
		if err != nil {
			return err
		}
		return f.askOwner(ctx, askRun, orderArgs{Invocation: v.ID, Action: o.action, Limit: o.limit, Members: only, DryRun: !o.acts(), JSON: o.json})
	}
	if ctx, err = f.ready(ctx, o.acts()); err != nil {
		return f.noteUnlessFailed(ctx, v, err)
	}
	if v, err = f.admit(ctx, v); err != nil {
		return err
	}
	run, err := f.engine.Order(ctx, storage.Order{
		Kind: reconcile.KindLive, Mode: o.action, DryRun: !o.acts(), Limit: o.limit, Members: only, Actor: f.actor(), Origin: "console",
		Deadline: f.now().Add(f.cfg.RunDeadline),
	})
	if err != nil {
		return err
	}
	if err := f.db.StartedRun(ctx, v.ID, run.ID); err != nil {
		return err
	}
	return f.sweep(ctx, run, o.json)
}

// ready opens the session for looking, or for acting.
func (f *filed) ready(ctx context.Context, acts bool) (context.Context, error) {
	if acts {
		return f.act(ctx)
	}
	return ctx, f.open(ctx, storage.Fence{}, "")
}

// noteUnlessFailed records a refusal, and gives every error back.
func (s *session) noteUnlessFailed(ctx context.Context, v storage.Invocation, err error) error {
	if problem.KindOf(err) == problem.Refused {
		return s.noteRefusal(context.WithoutCancel(ctx), v, err)
	}
	return err
}

// planApplyLive performs a stored plan on the guild itself.
func (c *console) planApplyLive(cmd *cobra.Command, args []string, once bool, reason string) (err error) {
	ctx := cmd.Context()
	f, done, err := c.onDiscord(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	v := f.invocation("plan apply", redactArgs(cmd, args))
	p, by, err := f.mayApply(ctx, args, reason)
	if err != nil {
		return f.noteUnlessFailed(ctx, v, err)
	}
	if served, err := f.served(ctx); served || err != nil {
		v.Accepted = true
		if err == nil {
			v, err = f.db.Accept(ctx, v)
		}
		if err != nil {
			return err
		}
		return f.askOwner(ctx, askApply, orderArgs{Invocation: v.ID, Digest: p.Digest, Once: once, Reason: reason})
	}
	if ctx, err = f.act(ctx); err != nil {
		return f.noteUnlessFailed(ctx, v, err)
	}
	run, err := f.engine.OrderPlan(ctx, p.Digest, once, f.cfg.RunDeadline, by)
	if err != nil {
		return err
	}
	v.Accepted, v.Run = true, run.ID
	if _, err := f.db.Accept(ctx, v); err != nil {
		return err
	}
	return f.sweep(ctx, run, false)
}

// resumeLive goes on with a run on the guild itself.
func (c *console) resumeLive(cmd *cobra.Command, args []string, id int64, asJSON bool) (err error) {
	ctx := cmd.Context()
	f, done, err := c.onDiscord(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	v := f.invocation("audit resume", redactArgs(cmd, args))
	run, err := f.resumable(ctx, id)
	if err != nil {
		return f.noteUnlessFailed(ctx, v, err)
	}
	served, err := f.served(ctx)
	if err != nil {
		return err
	}
	if !served {
		if ctx, err = f.ready(ctx, !run.Order.DryRun); err != nil {
			return f.noteUnlessFailed(ctx, v, err)
		}
	}
	v.Accepted, v.Run = true, id
	if _, err := f.db.Accept(ctx, v); err != nil {
		return err
	}
	if served {
		return f.askOwner(ctx, askResume, orderArgs{Run: id, JSON: asJSON})
	}
	return f.sweep(ctx, run, asJSON)
}

// resumable takes over a run that looks at the guild itself.
func (s *session) resumable(ctx context.Context, id int64) (storage.Run, error) {
	run, err := s.engine(nil).TakeOver(ctx, id)
	if err == nil && run.Order.Kind == reconcile.KindSnapshot {
		return run, problem.New(problem.Usage, fmt.Sprintf("run %d looked at a snapshot file, and which one is not kept; nothing was done", id),
			fmt.Sprintf("name it again: `gatecamp audit resume %d --snapshot FILE`", id))
	}
	return run, err
}
