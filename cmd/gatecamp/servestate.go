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
	holder   *storage.Owner // who acts, while this process waits
	gateway  bool
	verdicts map[snowflake.ID]string // on Auth, by guild
	guilds   func() []guildState     // nil: this process keeps none
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
	return &serveState{me: me, role: roleStarting, verdicts: map[snowflake.ID]string{}}
}

func (s *serveState) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *serveState) waits(held *storage.HeldError) {
	s.change(func() { s.role, s.holder = roleWaiting, &held.Holder })
}

func (s *serveState) begins() { s.change(func() { s.role, s.holder = roleOwner, nil }) }

func (s *serveState) stops() {
	s.change(func() { s.role, s.gateway, s.guilds = roleStopping, false, nil; clear(s.verdicts) })
}

func (s *serveState) connected(yes bool, guilds func() []guildState) {
	s.change(func() { s.gateway, s.guilds = yes, guilds })
}

// learned takes what a look said about Auth.
func (s *serveState) learned(guild snowflake.ID, r *reconcile.Report) {
	if r == nil || r.Look == nil {
		return
	}
	s.change(func() { s.verdicts[guild] = r.Look.Verdict.Health.String() })
}

// view is the state now.
func (s *serveState) view() stateView {
	s.mu.Lock()
	guilds := s.guilds
	v := stateView{Role: s.role, ID: s.me.ID, PID: s.me.PID, Host: s.me.Host, Since: jsonTime(s.me.Since), Gateway: s.gateway, Guilds: []guildState{}}
	if s.holder != nil {
		v.Owner, v.OwnerID = &healthOwner{s.holder.PID, s.holder.Host, jsonTime(s.holder.Since)}, s.holder.ID
	}
	s.mu.Unlock()
	if guilds != nil { // it takes locks of its own
		v.Guilds = guilds()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range v.Guilds {
		v.Guilds[i].Auth = s.verdicts[idOf(v.Guilds[i].Guild)]
	}
	v.Ready = v.Role == roleWaiting || v.Role == roleOwner && v.Gateway && len(v.Guilds) > 0 && !slices.ContainsFunc(v.Guilds, guildState.lacks)
	return v
}

func idOf(text string) snowflake.ID {
	id, err := snowflake.Parse(text)
	if err != nil {
		return 0
	}
	return id
}

// lacks reports whether something is missing before the guild counts as watched.
func (g guildState) lacks() bool { return !g.Visible || !g.Roster || g.Auth == "" }

// guildStates are the guilds that this process keeps.
func (t *tenure) guildStates() []guildState {
	all := []guildState{}
	for _, h := range t.all() {
		count := h.live.Headcount()
		all = append(all, guildState{Guild: h.id.String(), Visible: count.Visible, Roster: count.Complete})
	}
	return all
}

// stateName is where the owner leaves its state for other processes.
const stateName = "serve.state"

// stateFresh is how long a state that was left counts.
const stateFresh = 10 * time.Second

const (
	leaveStateEvery = 3 * time.Second        // so that it counts as fresh
	seeStateEvery   = 250 * time.Millisecond // a state that changed is left at once
)

// keepState leaves the state where `gatecamp health` finds it, until the context ends.
func (t *tenure) keepState(ctx context.Context) error {
	var left []byte
	var at time.Time
	tick := time.NewTicker(seeStateEvery)
	defer tick.Stop()
	for {
		value, err := json.Marshal(t.state.view())
		if err == nil && (time.Since(at) >= leaveStateEvery || !bytes.Equal(value, left)) {
			left, at = value, time.Now()
			err = t.db.Remember(ctx, 0, stateName, value, t.now().UTC())
		}
		if err != nil && ctx.Err() == nil {
			t.log.WarnContext(ctx, "the state was not stored", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
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
