package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// serveState is what a serving process says of itself, to whoever asks over HTTP and to `gatecamp health` through the database.
type serveState struct {
	mu       sync.Mutex
	me       storage.Owner
	role     string
	holder   *storage.Owner          // who acts, while this process waits
	verdicts map[snowflake.ID]judged // on Auth, by guild
}

// The parts a serving process can play.
const (
	roleStarting = "starting"
	roleWaiting  = "waiting"
	roleOwner    = "owner"
	roleStopping = "stopping"
)

// stateView is the form in which the state is told.
type stateView struct {
	Ready   bool         `json:"ready"`
	Role    string       `json:"role"`
	ID      string       `json:"id"` // tells this process from every other
	PID     int          `json:"pid"`
	Host    string       `json:"host"`
	Since   any          `json:"since"`
	Owner   *healthOwner `json:"owner"` // who acts, while this one waits
	OwnerID string       `json:"owner_id,omitempty"`
	Gateway bool         `json:"gateway"`
	Guilds  []guildState `json:"guilds"`
}

// guildState is how a guild stands; the id is the guild's, never a person's.
type guildState struct {
	Guild   string `json:"guild"`
	Visible bool   `json:"visible"`
	Roster  bool   `json:"roster"` // complete
	Auth    string `json:"auth"`   // the verdict; empty: none yet
}

func newServeState(me storage.Owner) *serveState {
	return &serveState{me: me, role: roleStarting, verdicts: map[snowflake.ID]judged{}}
}

func (s *serveState) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *serveState) waits(held *storage.HeldError) {
	s.change(func() {
		if s.holder = &held.Holder; s.role != roleOwner { // of another shard
			s.role = roleWaiting
		}
	})
}

func (s *serveState) begins() { s.change(func() { s.role = roleOwner }) }

func (s *serveState) stops() {
	s.change(func() { s.role = roleStopping; clear(s.verdicts) })
}

// judge takes a verdict on Auth.
func (s *serveState) judge(verdict string, at time.Time, guilds ...snowflake.ID) {
	s.change(func() {
		for _, g := range guilds {
			s.verdicts[g] = judged{verdict, at}
		}
	})
}

// compared notes that Auth was compared and is as it was when it was judged.
func (s *serveState) compared(at time.Time) {
	s.change(func() {
		for g, v := range s.verdicts {
			s.verdicts[g] = judged{v.verdict, at}
		}
	})
}

// judged is a verdict on Auth, and when it was reached.
type judged struct {
	verdict string
	at      time.Time
}

func (s *serveState) verdict(guild snowflake.ID) (verdict string, at time.Time) {
	s.change(func() { verdict, at = s.verdicts[guild].verdict, s.verdicts[guild].at })
	return verdict, at
}

// view is the state now.
func (s *server) view() stateView {
	v := stateView{ID: s.me.ID, PID: s.me.PID, Host: s.me.Host, Since: reconcile.LineTime(s.me.Since), Guilds: []guildState{}}
	tenures := s.present()
	v.Gateway = len(tenures) > 0
	for _, t := range tenures {
		v.Gateway = v.Gateway && t.isOpen()
		for _, h := range t.all() {
			count := h.live.Headcount()
			v.Guilds = append(v.Guilds, guildState{Guild: h.id.String(), Visible: count.Visible, Roster: count.Complete})
		}
	}
	s.state.change(func() {
		v.Role = s.state.role
		if h := s.state.holder; h != nil && v.Role == roleWaiting {
			v.Owner, v.OwnerID = &healthOwner{h.PID, h.Host, reconcile.LineTime(h.Since)}, h.ID
		}
		for i := range v.Guilds {
			v.Guilds[i].Auth = s.state.verdicts[idOf(v.Guilds[i].Guild)].verdict
		}
	})
	v.Ready = v.Role == roleWaiting || v.Role == roleOwner && v.Gateway && len(v.Guilds) > 0 && !slices.ContainsFunc(v.Guilds, guildState.lacks)
	return v
}

// isOpen reports whether the shard's session stands.
func (t *tenure) isOpen() bool { return slices.Contains(t.client.Shards(), t.lease.Shard) }

func idOf(text string) snowflake.ID {
	id, err := snowflake.Parse(text)
	if err != nil {
		return 0
	}
	return id
}

// lacks reports whether something is missing before the guild counts as watched.
func (g guildState) lacks() bool { return !g.Visible || !g.Roster || g.Auth == "" }

// stateName is where the owner leaves its state for other processes.
const stateName = "serve.state"

// stateFresh is how long a state that was left counts.
const stateFresh = 10 * time.Second

const (
	leaveStateEvery = 3 * time.Second        // so that it counts as fresh
	seeStateEvery   = 250 * time.Millisecond // a state that changed is left at once
)

// keepState leaves the owner's state where `gatecamp health` finds it, until the context ends.
func (s *server) keepState(ctx context.Context) {
	var left []byte
	var at time.Time
	tick := time.NewTicker(seeStateEvery)
	defer tick.Stop()
	for ; ctx.Err() == nil; waitTick(ctx, tick) {
		if len(s.present()) == 0 {
			continue
		}
		value, err := json.Marshal(s.view())
		if err == nil && (time.Since(at) >= leaveStateEvery || !bytes.Equal(value, left)) {
			left, at = value, time.Now()
			err = s.db.Remember(ctx, 0, stateName, value, s.now().UTC())
		}
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "the state was not stored", "error", err)
		}
	}
}

func waitTick(ctx context.Context, tick *time.Ticker) {
	select {
	case <-ctx.Done():
	case <-tick.C:
	}
}

// leftState reads what a serving process left; false if there is none, or an old one.
func leftState(ctx context.Context, db storage.Memory, name string, now time.Time) (v stateView, fresh bool, err error) {
	value, at, err := db.Recall(ctx, 0, name)
	if errors.Is(err, storage.ErrNotFound) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	broken := json.Unmarshal(value, &v) // another version's
	age := now.Sub(at)
	return v, broken == nil && age > -stateFresh && age < stateFresh, nil
}
