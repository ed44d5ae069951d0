package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/discord"
	"gatecamp/internal/problem"
	"gatecamp/schedule"
	"gatecamp/storage"
)

// tenure is the time for which a process acts for a shard: from its lease to the lease's loss, or to the end of the process.
type tenure struct {
	*server
	lease  storage.Lease
	client *discord.Client // that of the connection which the tenure belongs to
	queue  *schedule.Queue

	mu      sync.RWMutex
	houses  map[snowflake.ID]*house
	arrived []snowflake.ID
	arrival chan struct{} // has room for one: somebody arrived
}

// act does what only the owner of a shard may, until the context ends (nil), the lease is lost (storage.ErrFenced), or Discord turns the
// bot away.
func (s *server) act(ctx context.Context, lease storage.Lease) (err error) {
	// The lease is kept until all work has ended; the work ends with the context, or at once when the lease is lost.
	owned, lost := context.WithCancelCause(context.WithoutCancel(ctx))
	var keeping errgroup.Group
	keeping.Go(func() error { s.keepLease(owned, lease, lost); return nil })
	defer func() {
		fenced := context.Cause(owned)
		lost(nil)
		_ = keeping.Wait()
		if fenced != nil {
			err = fenced
			return
		}
		err = errors.Join(err, s.giveUpLease(ctx, lease))
	}()
	work, stop := context.WithCancelCause(owned)
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { stop(context.Cause(ctx)) })()
	t := &tenure{server: s, lease: lease, client: s.client, houses: map[snowflake.ID]*house{}, arrival: make(chan struct{}, 1)}
	s.enter(t)
	defer s.leave(t)
	if lease.Taken { // a call of the one before may still be under way
		s.log.InfoContext(ctx, "the process before did not end in order; its last call is waited for", "shard", lease.Shard, "wait", reconcile.CallWithin.String())
		if !rested(work, reconcile.CallWithin) {
			return nil
		}
	}
	return t.run(work)
}

// enter lets the tenure have its shard's events; leave ends that.
func (s *server) enter(t *tenure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenures[t.lease.Shard] = t
	s.state.begins()
}

func (s *server) leave(t *tenure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tenures, t.lease.Shard)
	if len(s.tenures) == 0 {
		s.state.stops()
	}
}

// present are the tenures that this process has, by shard.
func (s *server) present() []*tenure {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*tenure, 0, len(s.tenures))
	for _, t := range s.tenures {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *tenure) int { return cmp.Compare(a.lease.Shard, b.lease.Shard) })
	return all
}

// run opens the shard's session and works until the context ends.
func (t *tenure) run(ctx context.Context) (err error) {
	known, err := t.open(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	if t.queue, err = t.openQueue(); err != nil {
		return err
	}
	if err := t.queue.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.stopQueue(ctx)) }()
	t.arrive(t.client.Guilds()...)
	t.arrive(known...)
	t.arrive(t.watched()...)
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all errgroup.Group
	for _, service := range []func(context.Context) error{t.takeGuilds, t.takeCommands, t.keepSession} {
		all.Go(func() error {
			err := service(work)
			if err != nil {
				stop(err)
			}
			return err
		})
	}
	return all.Wait()
}

// open opens the session, an earlier one where that can still be resumed, and gives the guilds that it showed.
func (t *tenure) open(ctx context.Context) (guilds []snowflake.ID, err error) {
	p, err := t.parked(ctx)
	if err != nil {
		return nil, err
	}
	session := p.resumable(t.now())
	for failures := 0; ; failures++ {
		err := t.openShard(ctx, session)
		if told, is := errors.AsType[*problem.Problem](err); is && told.Kind == problem.Usage || err == nil || ctx.Err() != nil {
			return p.Guilds, err
		}
		t.log.ErrorContext(ctx, "no session with Discord; it is tried again", "shard", t.lease.Shard, "error", err, "wait", again(failures).String())
		if !rested(ctx, again(failures)) {
			return nil, nil
		}
		session.ID = "" // it may be what does not work
	}
}

// openWithin is how long a session may take to stand: longer than Discord's own gate between new ones.
const openWithin = time.Minute

func (t *tenure) openShard(ctx context.Context, session discord.Session) error {
	ctx, end := context.WithTimeout(ctx, openWithin)
	defer end()
	if session.ID != "" { // a resume needs no gate
		ctx, end = context.WithTimeout(ctx, openWithin/6)
		defer end()
	}
	return t.client.OpenShard(ctx, t.lease.Shard, session)
}

// watched are the guilds that the settings name; none: all that the bot is in.
func (s *server) watched() []snowflake.ID {
	return (&session{console: s.console, cfg: s.cfg, db: s.db}).configured()
}

func (t *tenure) wants(guild snowflake.ID) bool {
	named := t.watched()
	return t.client.ShardOf(guild) == t.lease.Shard && (len(named) == 0 || slices.Contains(named, guild))
}

// event is told every reason to look again, on the goroutine that reads the shard's socket.
func (s *server) event(e audit.Event) {
	s.mu.RLock()
	t := s.tenures[e.Shard]
	s.mu.RUnlock()
	if t != nil {
		t.event(e)
	}
}

func (t *tenure) event(e audit.Event) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e.Guild == 0 {
		for _, h := range t.houses {
			h.keeper.Event(e)
		}
		return
	}
	h, known := t.houses[e.Guild]
	switch {
	case known:
		h.keeper.Event(e)
	case e.Why == audit.GuildSeen:
		go t.arrive(e.Guild) // takes the lock
	}
}

// arrive notes guilds that came into sight.
func (t *tenure) arrive(guilds ...snowflake.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived = append(t.arrived, guilds...)
	select {
	case t.arrival <- struct{}{}:
	default:
	}
}

// takeGuilds begins to keep each guild that arrives, and waits for all of them when the context ends.
func (t *tenure) takeGuilds(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for {
		select {
		case <-ctx.Done():
			return all.Wait()
		case <-t.arrival:
		}
		for _, h := range t.newHouses(ctx) {
			all.Go(func() error { return h.run(ctx) })
		}
	}
}

func (t *tenure) newHouses(ctx context.Context) (fresh []*house) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range t.arrived {
		if _, known := t.houses[id]; known || !t.wants(id) {
			continue
		}
		h := newHouse(t, id)
		t.houses[id] = h
		fresh = append(fresh, h)
		t.log.InfoContext(ctx, "guild taken up", "guild", id, "shard", t.lease.Shard)
	}
	t.arrived = nil
	return fresh
}

// all lists the houses by guild.
func (t *tenure) all() []*house {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]*house, 0, len(t.houses))
	for _, h := range t.houses {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b *house) int { return cmp.Compare(a.id, b.id) })
	return list
}
