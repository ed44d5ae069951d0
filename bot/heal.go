package bot

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// healing is why something must be read again.
type healing int

const (
	healStart   healing = iota + 1 // this process begins: what happened before it is unknown
	healSession                    // a new session, or events were lost within one
	healSeen                       // the guild came into sight
	healDrift                      // role counts differ
	healEntries                    // entries of the audit log were dropped
	healings
)

func (h healing) String() string {
	return [...]string{"", "start", "new_session", "guild_back", "drift", "entries_dropped"}[h]
}

// healer reads again what may have been missed: first the audit log, whose members are looked at at once, then everybody.
type healer struct {
	g     *Guild
	wake  chan struct{}
	roles chan map[snowflake.ID]rangeMark // has room for one

	mu    sync.Mutex
	asked [healings]bool
	entry snowflake.ID // the newest of the audit log that was kept
	known bool         // that it was read from storage
	dirty bool         // it is newer than the stored one
	gap   bool         // entries before it are missing
}

func newHealer(g *Guild) *healer {
	return &healer{g: g, wake: make(chan struct{}, 1), roles: make(chan map[snowflake.ID]rangeMark, 1)}
}

// ask wants what may have been missed read again. It does not wait.
func (h *healer) ask(why healing) {
	h.mu.Lock()
	h.asked[why] = true
	h.gap = true
	h.mu.Unlock()
	if why == healSession || why == healStart || why == healDrift {
		h.g.count.miss(why.String())
	}
	nudge(h.wake)
}

func (h *healer) take() (whys []healing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for why, asked := range h.asked {
		if asked {
			whys = append(whys, healing(why))
		}
	}
	h.asked = [healings]bool{}
	return whys
}

// work heals until the context ends.
func (h *healer) work(ctx context.Context) error {
	drift := time.NewTimer(h.nextDrift())
	defer drift.Stop()
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-h.wake:
			h.after(ctx, h.take())
		case due := <-h.roles:
			h.holders(ctx, due)
		case <-flush.C:
			h.remember(ctx)
		case <-drift.C:
			h.compare(ctx)
			drift.Reset(h.nextDrift())
		}
	}
	last, end := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer end()
	h.remember(last)
	return context.Cause(ctx)
}

const (
	flushEvery  = 5 * time.Second
	flushWithin = 2 * time.Second
)

// nextDrift is when role counts are compared again, spread so that many guilds do not ask at once.
func (h *healer) nextDrift() time.Duration {
	d := h.g.cfg.Drift
	return d + rand.N(d/2) //nolint:gosec // spreads load, guards nothing
}

// after heals. Those of whom the audit log tells are marked before everybody is read.
func (h *healer) after(ctx context.Context, whys []healing) {
	if len(whys) == 0 {
		return
	}
	if slices.Contains(whys, healSession) {
		h.g.trouble(TroubleMissed, healSession.String())
	}
	if slices.Contains(whys, healSession) || slices.Contains(whys, healDrift) {
		// It begins once the guild is in sight; the list of members does not count as complete before it is read.
		h.g.runner.catchUp(causeMissed, true)
	}
	h.catchUp(ctx)
}

// auditLast is under which name the newest entry of the audit log is remembered.
const auditLast = "auditlog.last"

// last is the newest entry that was kept, from storage the first time.
func (h *healer) last(ctx context.Context) (snowflake.ID, error) {
	h.mu.Lock()
	known, entry := h.known, h.entry
	h.mu.Unlock()
	if known {
		return entry, nil
	}
	data, _, err := h.g.cfg.Store.Recall(ctx, h.g.cfg.Guild, auditLast)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return 0, err
	}
	if len(data) == 8 {
		entry = snowflake.ID(binary.BigEndian.Uint64(data))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entry, h.known = entry, true
	return entry, nil
}

// catchUp reads what the audit log told meanwhile, keeps it and marks whom it is about.
func (h *healer) catchUp(ctx context.Context) {
	after, err := h.last(ctx)
	var events []audit.Event
	last := after
	if err == nil {
		events, last, err = h.g.cfg.Sight.AuditEntries(ctx, after)
	}
	if ctx.Err() != nil {
		return
	}
	kept := h.g.note(ctx, events)
	h.g.count.with(func(s *Stats) { s.CaughtUp += uint64(len(events)) })
	h.mark(events)
	if err = errors.Join(err, kept); err != nil {
		h.g.cfg.Log.WarnContext(ctx, "audit log not read", "guild", h.g.cfg.Guild, "after", after, "error", err)
		h.g.trouble(TroubleAuditLog, err.Error())
	}
	if kept != nil {
		return
	}
	h.mu.Lock()
	h.gap = h.gap && err != nil
	h.entry, h.dirty = max(h.entry, last), true
	h.mu.Unlock()
	h.remember(ctx)
}

// mark has those looked at whom entries are about; who granted what is known by now.
func (h *healer) mark(events []audit.Event) {
	var members []snowflake.ID
	now := time.Now()
	for _, e := range events {
		switch e.Scope {
		case audit.OneMember:
			members = append(members, e.Member)
		case audit.RoleHolders:
			h.g.box.holders(e.Role, false, now)
		case audit.WholeGuild:
			h.g.runner.catchUp(causeMissed, false)
		}
	}
	slices.Sort(members)
	h.g.Mark("the audit log tells of them", slices.Compact(members)...)
	nudge(h.g.wake)
}

// seen notes the newest entry that came by an event.
func (h *healer) seen(entry snowflake.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// While entries before it are missing it must not be believed that they were read.
	if !h.gap && entry > h.entry {
		h.entry, h.dirty = entry, true
	}
}

// remember stores the newest entry that was kept.
func (h *healer) remember(ctx context.Context) {
	h.mu.Lock()
	entry, dirty := h.entry, h.dirty
	h.dirty = false
	h.mu.Unlock()
	if !dirty || entry == 0 {
		return
	}
	if err := h.g.cfg.Store.Remember(ctx, h.g.cfg.Guild, auditLast, binary.BigEndian.AppendUint64(nil, uint64(entry)), time.Now().UTC()); err != nil {
		h.mu.Lock()
		h.dirty = true
		h.mu.Unlock()
		h.g.cfg.Log.WarnContext(ctx, "newest audit-log entry not stored", "guild", h.g.cfg.Guild, "error", err)
	}
}

// compare asks whether something was missed without a sign of it.
func (h *healer) compare(ctx context.Context) {
	if h.g.box.isFrozen() {
		return
	}
	drift, err := h.g.cfg.Sight.Drift(ctx)
	if err != nil {
		if ctx.Err() == nil {
			h.g.cfg.Log.WarnContext(ctx, "role counts not compared", "guild", h.g.cfg.Guild, "error", err)
		}
		return
	}
	if drift != "" {
		h.g.trouble(TroubleDrift, drift)
		h.ask(healDrift)
	}
}

// resolve hands over roles whose holders are to be marked; if the last ones are still being resolved, they wait once more.
func (h *healer) resolve(due map[snowflake.ID]rangeMark) {
	select {
	case h.roles <- due:
	default:
		now := time.Now()
		for role, r := range due {
			h.g.box.holders(role, r.deleted, now)
		}
	}
}

// holders marks everybody who holds one of the roles, or held it.
func (h *healer) holders(ctx context.Context, due map[snowflake.ID]rangeMark) {
	ids, err := h.who(ctx, due)
	if err != nil {
		if ctx.Err() == nil {
			h.g.cfg.Log.WarnContext(ctx, "holders of roles not found out", "guild", h.g.cfg.Guild, "error", err)
			h.g.runner.catchUp(causeRange, false)
		}
		return
	}
	h.g.Mark("a role changed", ids...)
}

func (h *healer) who(ctx context.Context, due map[snowflake.ID]rangeMark) ([]snowflake.ID, error) {
	pic, err := h.g.cfg.Guilds.Known(ctx)
	if err != nil {
		return nil, err
	}
	var set audit.RoleSet
	everyone := false
	for i, r := range pic.Guild.Roles {
		if _, is := due[r.ID]; is {
			set = set.With(i)
			everyone = everyone || r.ID == h.g.cfg.Guild
		}
	}
	var ids []snowflake.ID
	for _, m := range pic.Members {
		if everyone || !m.Roles.And(set).Empty() {
			ids = append(ids, m.ID)
		}
	}
	gone := func(role snowflake.ID) bool { return due[role].deleted }
	if !slices.ContainsFunc(slices.Collect(keysOf(due)), gone) {
		return ids, nil
	}
	// Nobody holds a deleted role any more; those whose finding it was a part of are looked at.
	for filter := (storage.FindingFilter{}); ; {
		page, err := h.g.cfg.Store.Findings(ctx, h.g.cfg.Guild, filter)
		if err != nil || len(page) == 0 {
			return ids, err
		}
		for _, f := range page {
			if f.SubjectKind == storage.SubjectMember && slices.ContainsFunc(slices.Concat(f.Held, f.Go, f.Missing, f.Lookalikes), gone) {
				ids = append(ids, f.Subject)
			}
		}
		filter.Page.Before = page[len(page)-1].ID
	}
}
