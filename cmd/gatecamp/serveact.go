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
	"gatecamp/storage"
)

// tenure is the time for which a process acts: from the lease to its loss, or to the end of the process.
type tenure struct {
	*server
	lease  storage.Lease
	client *discord.Client

	mu      sync.RWMutex
	houses  map[snowflake.ID]*house
	arrived []snowflake.ID
	arrival chan struct{} // has room for one: somebody arrived
}

// act does what only the owner may, until the context ends (nil), the lease is lost (storage.ErrFenced), or Discord turned the bot away
// for a reason that only a person can mend.
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
	s.state.begins()
	defer s.state.stops()
	if lease.Taken { // a call of the one before may still be under way
		s.log.InfoContext(ctx, "the process before did not end in order; its last call is waited for", "wait", reconcile.CallWithin.String())
		if wait(work, reconcile.CallWithin) != nil {
			return nil
		}
	}
	for failures := 0; ; failures++ {
		began := time.Now()
		err := s.connected(work, lease)
		if work.Err() != nil {
			return err
		}
		if told, is := errors.AsType[*problem.Problem](err); is && told.Kind == problem.Usage {
			return err
		}
		if time.Since(began) > time.Minute {
			failures = 0
		}
		s.log.ErrorContext(work, "no session with Discord; it is tried again", "error", err, "wait", again(failures).String())
		if wait(work, again(failures)) != nil {
			return nil
		}
	}
}

// connected acts over one connection to Discord, until the context ends or the connection is given up.
func (s *server) connected(ctx context.Context, lease storage.Lease) (err error) {
	t := &tenure{server: s, lease: lease, houses: map[snowflake.ID]*house{}, arrival: make(chan struct{}, 1)}
	parked, err := s.parked(ctx)
	if err != nil {
		return err
	}
	t.client, err = discord.Open(ctx, discord.Config{
		Token: s.cfg.DiscordToken, APIURL: s.cfg.DiscordAPIURL, Routes: parked.Routes, Sessions: map[int]discord.Session{0: parked.resumable(s.now())}, Shared: s.shared, Log: s.log, OnEvent: t.event,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.leave(ctx, err)) }()
	s.state.connected(true, t.guildStates)
	defer s.state.connected(false, nil)
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t.arrive(t.client.Guilds()...)
	t.arrive(parked.Guilds...)
	t.arrive(s.watched()...)
	var all errgroup.Group
	for _, service := range []func(context.Context) error{t.takeGuilds, t.takeCommands, t.keepState, t.watchGateway} {
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

// watchGateway ends the work when the gateway was given up.
func (t *tenure) watchGateway(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-t.client.Lost():
		return cmp.Or(t.client.Err(), errors.New("Discord's gateway was given up"))
	}
}

// leaveWithin is how long it may take to part from Discord in order.
const leaveWithin = 10 * time.Second

// leave keeps what a next start can use, and closes the connection. A session that ends with the lease is of no use: another process
// has begun its own.
func (t *tenure) leave(ctx context.Context, why error) error {
	fenced := errors.Is(context.Cause(ctx), storage.ErrFenced)
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer end()
	routes, guilds := t.client.Routes(), t.client.Guilds()
	if why != nil || fenced {
		t.client.Close(ctx)
		return nil
	}
	return t.park(ctx, parking{Routes: routes, Guilds: guilds, Session: t.client.CloseKeepingSession(ctx)[0], At: t.now().UTC()})
}

// watched are the guilds that the settings name; none: all that the bot is in.
func (s *server) watched() []snowflake.ID {
	return (&session{console: s.console, cfg: s.cfg, db: s.db}).configured()
}

func (s *server) wants(guild snowflake.ID) bool {
	named := s.watched()
	return len(named) == 0 || slices.Contains(named, guild)
}

// event is told every reason to look again, on the goroutine that reads the gateway.
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
	var all errgroup.Group
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
		t.log.InfoContext(ctx, "guild taken up", "guild", id)
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
