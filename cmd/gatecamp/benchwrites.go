package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// The guild of the measurements: the members who are acted on have ids from benchTarget on, those who are in order from benchPeer on.
const (
	benchTarget   = 300_000
	benchPeer     = 200_000
	benchPeers    = 40
	benchMember   = 2001 // the role of the state
	benchExtra    = 2002 // the role of a group
	benchPolicies = `unknown_guest: {default: %[1]s, realtime: act, grace: 0s}
linked_no_perm: {default: report}
surplus_roles: {default: strip, realtime: act, grace: 0s}
limits:
  members:  {run: {floor: %[2]d, ceiling: %[2]d}, day: {floor: %[2]d, ceiling: %[2]d}, live_15m: {floor: %[2]d, ceiling: %[2]d}}
  one_role: {run: {floor: %[2]d, ceiling: %[2]d}, day: {floor: %[2]d, ceiling: %[2]d}}
  kicks:    {run: {ceiling: %[2]d}, day: {ceiling: %[2]d}, live_15m: {ceiling: %[2]d}}
`
)

// benchWorld is a small guild with n members who will lose something. Spare members are strangers without a role.
func benchWorld(n, spare int, linked bool, act audit.Act, roles ...int) []byte {
	var members, users []string
	list := make([]string, len(roles))
	for i, r := range roles {
		list[i] = fmt.Sprintf("%q", fmt.Sprint(r))
	}
	member := func(id int, roles string) {
		members = append(members, fmt.Sprintf(`{"user": {"id": "%d", "username": "m%d"}, "roles": [%s], "joined_at": "2020-01-01T00:00:00Z"}`, id, id, roles))
	}
	user := func(id int) {
		users = append(users, fmt.Sprintf(`{"id": %d, "username": "u%d", "state": "Member", "groups": [], "discord_uid": "%d"}`, len(users)+1, id, id))
	}
	for i := range benchPeers {
		member(benchPeer+i, fmt.Sprintf(`"%d"`, benchMember))
		user(benchPeer + i)
	}
	for i := range n + spare {
		held := strings.Join(list, ", ")
		if i >= n {
			held = ""
		}
		member(benchTarget+i, held)
		if linked {
			user(benchTarget + i)
		}
	}
	return fmt.Appendf(nil, `Made up to be measured.
-- guild.json --
{"guild": {"id": "900000000000000001", "owner_id": "%d", "name": "Bench"},
 "guild_roles": [{"id": "%d", "name": "Member", "position": 1}, {"id": "%d", "name": "Extra", "position": 2}],
 "guild_members": [[%s]]}
-- auth.json --
{"states": ["Member", "Guest"], "groups": ["Extra"], "access": {"groups": [], "states": ["Member"], "users": []}, "users": [%s]}
-- policy.yaml --
%s`, benchPeer, benchMember, benchExtra, strings.Join(members, ",\n"), strings.Join(users, ",\n"), fmt.Sprintf(benchPolicies, act, 10*(n+spare)+100))
}

// strip takes one role of each.
func (b *discordBench) strip(ctx context.Context, dir string, linked bool) (map[string]float64, error) {
	roles := []int{benchExtra}
	if linked {
		roles = []int{benchMember, benchExtra}
	}
	return b.acts(ctx, dir, benchWorld(b.actions, 0, linked, audit.Strip, roles...))
}

// kick removes each.
func (b *discordBench) kick(ctx context.Context, dir string) (map[string]float64, error) {
	return b.acts(ctx, dir, benchWorld(b.actions, 0, false, audit.StripKick))
}

// acts lets an acting run work on a world, and reads from Discord's side how long it took.
func (b *discordBench) acts(ctx context.Context, dir string, world []byte) (_ map[string]float64, err error) {
	t, err := b.table(ctx, dir, world)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if err := t.setUp(ctx); err != nil {
		return nil, err
	}
	since := len(t.server.Requests(0))
	if err := run(ctx, []string{"audit", "run", "--yes"}, t.console()); err != nil {
		return nil, err
	}
	return b.figuresOf(t.server.Requests(since))
}

// figuresOf reads how the writes went. Begin is the first look at a member right before a write.
func (b *discordBench) figuresOf(requests []discordtest.Request) (map[string]float64, error) {
	var begin, first, last time.Time
	writes, refused := 0, 0
	perRoute := map[string]int{}
	for _, r := range requests {
		at := time.UnixMicro(r.Time)
		switch {
		case r.Bot != discordtest.BotGatecamp || !strings.Contains(r.Path, "/members/"):
		case r.Status == http.StatusTooManyRequests:
			refused++
		case r.Method == http.MethodGet:
			if begin.IsZero() {
				begin = at
			}
		default:
			if writes++; writes == 1 {
				first = at
			}
			perRoute[r.Method]++
			last = at.Add(time.Duration(r.Duration * float64(time.Millisecond)))
		}
	}
	if writes != b.actions {
		return nil, problem.New(problem.Failed, fmt.Sprintf("%d writes were made, and %d were wanted", writes, b.actions), "")
	}
	figures := map[string]float64{
		"seconds_to_last_answer": last.Sub(begin).Seconds(), "answers_of_429": float64(refused),
		"writes_by_delete": float64(perRoute[http.MethodDelete]), "writes_by_patch": float64(perRoute[http.MethodPatch]),
	}
	if spent := last.Sub(first).Seconds(); spent > 0 {
		figures["writes_per_second"] = float64(writes) / spent
	}
	return figures, nil
}

const (
	benchWindow   = 10 * time.Second // Discord's, for roles
	benchPerLives = 3                // live actions in it
)

// live strips strangers in bulk, and meanwhile gives others a role by hand and looks at them at once.
func (b *discordBench) live(ctx context.Context, dir string) (_ map[string]float64, err error) {
	spare := b.actions
	t, err := b.table(ctx, dir, benchWorld(b.actions, spare, false, audit.Strip, benchExtra))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if err := t.setUp(ctx); err != nil {
		return nil, err
	}
	f, done, err := t.console().onDiscord(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	acting, err := f.act(ctx)
	if err != nil {
		return nil, err
	}
	run, err := f.engine.Order(acting, storage.Order{Kind: reconcile.KindLive, Actor: f.actor(), Origin: "console"})
	if err != nil {
		return nil, err
	}
	bulk := make(chan error, 1)
	go func() {
		_, err := f.engine.Sweep(acting, run, f.guilds, f.writer)
		bulk <- err
	}()
	waits, err := b.interrupt(acting, t, f, bulk, spare)
	if err != nil {
		return nil, err
	}
	if len(waits) == 0 {
		return nil, problem.New(problem.Failed, "the bulk job was over before anything happened beside it", "measure with more --actions")
	}
	slices.Sort(waits)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return map[string]float64{
		"ms_to_first_write_median": ms(waits[len(waits)/2]), "ms_to_first_write_most": ms(waits[len(waits)-1]), "live_actions": float64(len(waits)),
	}, nil
}

// interrupt acts live until the bulk job is over: how long each took from the call to its first write.
func (b *discordBench) interrupt(ctx context.Context, t *benchTable, f *filed, bulk <-chan error, spare int) (waits []time.Duration, err error) {
	guild, is := f.guilds.(liveGuild)
	if !is {
		return nil, errors.New("no live guild")
	}
	guild.priority = discord.Live
	first := func(r discordtest.Request) bool { return r.Method == http.MethodDelete || r.Method == http.MethodPatch }
	if _, err := t.server.AwaitRequest(ctx, 0, first); err != nil { // the bulk job is at work
		return nil, err
	}
	tick := time.NewTicker(benchWindow / benchPerLives)
	defer tick.Stop()
	for i := range spare {
		select {
		case err := <-bulk:
			return waits, err
		case <-tick.C:
		}
		who := snowflake.ID(benchTarget + b.actions + i)
		if err := t.server.GiveRole(t.server.GuildIDs()[0], who, benchExtra, 0); err != nil {
			return nil, err
		}
		began := time.Now()
		if _, err := f.engine.One(ctx, []snowflake.ID{who}, guild, guild); err != nil {
			return nil, err
		}
		path := "/members/" + who.String()
		for _, r := range t.server.Requests(0) {
			if first(r) && (strings.HasSuffix(r.Path, path) || strings.Contains(r.Path, path+"/")) {
				waits = append(waits, time.UnixMicro(r.Time).Sub(began))
				break
			}
		}
	}
	return waits, <-bulk
}
