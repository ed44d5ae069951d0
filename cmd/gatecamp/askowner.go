package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// What a console may ask the process that acts.
const (
	askRun    = "audit run"
	askApply  = "plan apply"
	askResume = "audit resume"
)

// orderArgs is what is asked for; which of it counts depends on the kind.
type orderArgs struct {
	Invocation int64          `json:"invocation,omitempty"` // under which the attempt is recorded
	Action     string         `json:"action,omitempty"`
	Limit      int            `json:"limit,omitempty"`
	Members    []snowflake.ID `json:"members,omitempty"`
	DryRun     bool           `json:"dry_run,omitempty"`
	Digest     string         `json:"digest,omitempty"`
	Once       bool           `json:"once,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Run        int64          `json:"run,omitempty"`
	JSON       bool           `json:"json,omitempty"`
}

// orderNews is a line about an order on its way.
type orderNews struct {
	Run  int64 `json:"run"`
	Done int   `json:"done,omitempty"`
	Of   int   `json:"of,omitempty"`
}

// orderAnswer is what came of it, as the console would have printed it.
type orderAnswer struct {
	Out     string `json:"out"`
	Beside  string `json:"beside,omitempty"` // for standard error
	Exit    int    `json:"exit"`
	Problem string `json:"problem,omitempty"`
}

// answered is the end of an order as an error of the console.
func (a orderAnswer) err() error {
	kind := map[int]problem.Kind{exitUsage: problem.Usage, exitRefused: problem.Refused, exitHeld: problem.Held}[a.Exit]
	if a.Exit == exitDone {
		return nil
	}
	return problem.New(kind, a.Problem, "")
}

// served reports whether a serving process acts here: acting is then its work, and it is asked.
func (s *session) served(ctx context.Context) (bool, error) {
	shard, err := s.shardOf(ctx, s.guild)
	if err != nil {
		return false, err
	}
	lease, err := s.db.LeaseHolder(ctx, shard)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return strings.HasPrefix(lease.Holder.ID, servePrefix), err
}

const (
	followEvery  = 200 * time.Millisecond
	takenWithin  = 10 * time.Second // after which nobody will take an order: the process does not keep this guild
	ownerlessFor = time.Minute      // after which nobody will go on with it
)

// askOwner has the process that acts do something, tells how it goes, and prints what came of it. A console that dies meanwhile harms nothing.
func (s *session) askOwner(ctx context.Context, kind string, args orderArgs) error {
	return s.ask(ctx, kind, args)
}

// ask is askOwner for what is no run.
func (s *session) ask(ctx context.Context, kind string, args any) error {
	data, err := json.Marshal(args)
	if err != nil {
		return err
	}
	c, err := s.db.AskOwner(ctx, storage.Command{Guild: s.guild, Kind: kind, Args: data, Actor: s.actor(), Created: s.now().UTC()})
	if err != nil {
		return err
	}
	f := follower{session: s, id: c.ID, asked: time.Now(), seen: time.Now()}
	for {
		done, err := f.look(ctx)
		if ctx.Err() != nil {
			return f.leave(ctx)
		}
		if done || err != nil {
			return err
		}
		if wait(ctx, followEvery) != nil {
			return f.leave(ctx)
		}
	}
}

// follower is a console that waits for the owner.
type follower struct {
	*session
	id    int64
	after int64 // the last line that was told
	run   int64 // zero: not known yet
	tell  pace
	asked time.Time
	seen  time.Time // when somebody acted, last
}

// look tells what is new; done when the order has ended.
func (f *follower) look(ctx context.Context) (done bool, err error) {
	c, lines, err := f.db.FollowCommand(ctx, f.id, f.after)
	if err != nil {
		return false, err
	}
	for _, line := range lines {
		f.after = line.ID
		f.hear(line)
	}
	switch {
	case !c.Finished.IsZero():
		return true, f.end(c)
	case c.TakenBy == "" && time.Since(f.asked) > takenWithin:
		return true, f.withdraw(ctx)
	case c.TakenBy == "":
		return false, nil
	}
	return f.watchOwner(ctx)
}

func (f *follower) hear(line storage.Progress) {
	var news orderNews
	if json.Unmarshal(line.Data, &news) != nil {
		return
	}
	if f.run == 0 && news.Run != 0 {
		f.run = news.Run
		f.warn("the serving process is at it: run %d", f.run)
	}
	if news.Of > 0 {
		f.tell.went(f.session, news.Done, news.Of)
	}
}

// end prints what came of the order.
func (f *follower) end(c storage.Command) error {
	var a orderAnswer
	if len(c.Result) == 0 || json.Unmarshal(c.Result, &a) != nil {
		return problem.New(problem.Failed, "the serving process answered: "+c.Error, "its log says more")
	}
	fmt.Fprint(f.out, a.Out)
	fmt.Fprint(f.err, a.Beside)
	return a.err()
}

// withdraw takes an order back that nobody took.
func (f *follower) withdraw(ctx context.Context) error {
	err := f.db.WithdrawCommand(ctx, f.id, f.now().UTC())
	if errors.Is(err, storage.ErrConflict) {
		return nil // taken just now: it is looked at again
	}
	if err != nil {
		return err
	}
	return refuse("not_taken", fmt.Sprintf("the process that acts here does not keep guild %d, or is not connected; nothing was changed", f.guild),
		"see how it is with `gatecamp health`, and which guilds it keeps in its GATECAMP_GUILD_IDS")
}

// watchOwner gives up when nobody has acted for long: whoever acts next goes on with the order.
func (f *follower) watchOwner(ctx context.Context) (bool, error) {
	is, err := f.served(ctx)
	if err != nil {
		return false, err
	}
	if is {
		f.seen = time.Now()
		return false, nil
	}
	if time.Since(f.seen) < ownerlessFor {
		return false, nil
	}
	return true, problem.New(problem.Failed, "the process that was at it is gone, and no other acts; what was done is recorded", "start `gatecamp serve`: it goes on by itself")
}

// leave is what happens when the console is stopped: an order that nobody took is taken back, another goes on.
func (f *follower) leave(ctx context.Context) error {
	stopped := context.Cause(ctx)
	ctx = context.WithoutCancel(ctx)
	switch err := f.db.WithdrawCommand(ctx, f.id, f.now().UTC()); {
	case err == nil:
		f.warn("nobody had begun yet; the order is taken back and nothing was changed")
	case errors.Is(err, storage.ErrConflict) && f.run != 0:
		f.warn("run %d goes on without this console; stop it with `gatecamp audit cancel %d`", f.run, f.run)
	case errors.Is(err, storage.ErrConflict):
		f.warn("the order goes on without this console; see `gatecamp audit history`")
	default:
		return errors.Join(stopped, err)
	}
	return stopped
}
