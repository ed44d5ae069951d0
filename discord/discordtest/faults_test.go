package discordtest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

func TestTheFaultsAreThoseOfTheList(t *testing.T) {
	want := []string{
		"missed_events", "resume_refused", "drop_after_accept", "op7", "op9_resumable", "op9_new", "no_heartbeat_ack", "chunks_rate_limited", "chunk_lost",
		"chunk_doubled", "chunks_reordered", "guild_unavailable", "unknown_channel_kind", "event_before_guild_create", "audit_before", "audit_late", "audit_never",
		"429_user", "429_shared", "429_global", "429_cloudflare", "5xx_before", "5xx_after", "ok_without_effect", "deleted_role_in_member", "role_delete_silent",
		"foreign_write", "clock_skew", "slow",
	}
	var got []string
	for _, k := range discordtest.FaultNames() {
		got = append(got, k.Name)
		if k.Doc == "" || k.Where != "rest" && k.Where != "gateway" {
			t.Errorf("%s: where %q, doc %q", k.Name, k.Where, k.Doc)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the list differs (-want +got):\n%s", d)
	}
	for i, name := range got {
		if s := discordtest.FaultName(i + 1).String(); s != name {
			t.Errorf("fault %d is %s and called %s", i+1, name, s)
		}
	}
}

// Each fault that answers a call, and whether the effect happened.
func TestFaultsOfREST(t *testing.T) {
	for _, f := range []struct {
		name    string
		status  int
		effect  bool
		via     bool
		headers map[string]string
	}{
		{"429_user", 429, false, true, map[string]string{"X-RateLimit-Scope": "user", "X-RateLimit-Remaining": "0", "Retry-After": "1"}},
		{"429_shared", 429, false, true, map[string]string{"X-RateLimit-Scope": "shared", "Retry-After": "1"}},
		{"429_global", 429, false, true, map[string]string{"X-RateLimit-Scope": "global", "X-RateLimit-Global": "true", "X-RateLimit-Bucket": ""}},
		{"429_cloudflare", 429, false, false, map[string]string{"X-RateLimit-Scope": "", "X-RateLimit-Bucket": "", "Content-Type": "text/html; charset=UTF-8"}},
		{"5xx_before", 502, false, true, nil},
		{"5xx_after", 500, true, true, nil},
		{"ok_without_effect", 204, false, true, nil},
		{"clock_skew", 204, true, true, map[string]string{"X-RateLimit-Reset": "1772366500.000", "X-RateLimit-Reset-After": "10.000", "Date": "Sun, 01 Mar 2026 12:01:30 GMT"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
			r.fault(discordtest.Fault{Name: f.name, Match: discordtest.Match{Method: "DELETE"}})
			r.want(200, 0, "GET", "/guilds/{g}/members/201", "")
			a := r.do("DELETE", "/guilds/{g}/members/201/roles/30", "")
			if a.status != f.status || (a.header.Get("Via") != "") != f.via {
				t.Errorf("%d Via %q, want %d and Via %v", a.status, a.header.Get("Via"), f.status, f.via)
			}
			for name, want := range f.headers {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			m, err := r.s.Member(r.guild, 201)
			r.must(err)
			if gone := !slices.Contains(m.Roles, 30); gone != f.effect {
				t.Errorf("the role is gone: %v, want %v", gone, f.effect)
			}
			if got := r.s.Requests(0)[1].Fault; got != f.name {
				t.Errorf("the log names the fault %q", got)
			}
			if got := r.s.Faults()[0].Fired; got != 1 {
				t.Errorf("fired %d times, want 1", got)
			}
			r.want(204, 0, "PUT", "/guilds/{g}/members/201/roles/30", "")
			r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "")
			if m, _ := r.s.Member(r.guild, 201); slices.Contains(m.Roles, 30) {
				t.Error("the fault goes on after its count")
			}
		})
	}
}

func TestAForeignWriteComesBetweenReadAndPatch(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, _ := r.connect(intentsOurs)
	r.fault(discordtest.Fault{Name: "foreign_write"})
	r.want(204, 0, "DELETE", "/guilds/{g}/members/203/roles/30", "")
	m, err := r.s.Member(r.guild, 203)
	r.must(err)
	if !slices.Contains(m.Roles, 31) || slices.Contains(m.Roles, 30) {
		t.Errorf("the member has %v; want 31 from the other writer, and not 30", m.Roles)
	}
	var entry struct {
		User string `json:"user_id"`
	}
	l.decode(l.await("GUILD_AUDIT_LOG_ENTRY_CREATE"), &entry)
	if want := r.s.Bot(discordtest.BotAuth).UserID.String(); entry.User != want {
		t.Errorf("the other writer is %s, want %s", entry.User, want)
	}
}

func TestADeletedRoleLingersInMembers(t *testing.T) {
	t.Run("after its deletion", func(t *testing.T) {
		r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
		r.fault(discordtest.Fault{Name: "deleted_role_in_member"})
		r.must(r.s.DeleteRole(r.guild, 30, 0))
		m, err := r.s.Member(r.guild, 201)
		r.must(err)
		if !slices.Contains(m.Roles, 30) {
			t.Errorf("the member has %v, want the deleted 30 among them", m.Roles)
		}
	})
	t.Run("at a read", func(t *testing.T) {
		r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
		r.fault(discordtest.Fault{Name: "deleted_role_in_member"})
		m := into[struct{ Roles []string }](t, r.want(200, 0, "GET", "/guilds/{g}/members/201", ""))
		known := into[[]struct{ ID string }](t, r.want(200, 0, "GET", "/guilds/{g}/roles", ""))
		strange := slices.ContainsFunc(m.Roles, func(id string) bool {
			return !slices.ContainsFunc(known, func(k struct{ ID string }) bool { return k.ID == id })
		})
		if !strange {
			t.Errorf("the guild knows all of %v", m.Roles)
		}
	})
}

func TestASlowAnswerWaitsByTheClock(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	r.fault(discordtest.Fault{Name: "slow"})
	done := make(chan answer)
	go func() { done <- r.do("GET", "/guilds/{g}/roles", "") }()
	for r.s.Faults()[0].Fired == 0 {
		r.do("GET", "/nothing", "")
	}
	select {
	case <-done:
		t.Error("it was answered at once")
	default:
	}
	for {
		r.clock.Advance(time.Second)
		select {
		case a := <-done:
			if a.status != 200 {
				t.Errorf("status %d, want 200", a.status)
			}
			return
		default:
		}
	}
}

// Each fault of the stream: what a bot reads after it was ordered and something happened.
func TestFaultsOfTheGateway(t *testing.T) {
	role := func(r *rig) { r.must(r.s.TakeRole(r.guild, 201, 30, 0)) }
	for name, c := range map[string]struct {
		fault discordtest.Fault
		want  []string // dispatches, or opcodes as op7
	}{
		"missed_events":     {discordtest.Fault{At: 1}, []string{"GUILD_AUDIT_LOG_ENTRY_CREATE"}},
		"op7":               {discordtest.Fault{At: 2}, []string{"GUILD_MEMBER_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "op7"}},
		"op9_resumable":     {discordtest.Fault{}, []string{"GUILD_MEMBER_UPDATE", "op9 true"}},
		"op9_new":           {discordtest.Fault{}, []string{"GUILD_MEMBER_UPDATE", "op9 false"}},
		"guild_unavailable": {discordtest.Fault{}, []string{"GUILD_MEMBER_UPDATE", "GUILD_DELETE"}},
		"audit_before":      {discordtest.Fault{}, []string{"GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_MEMBER_UPDATE"}},
		"audit_never":       {discordtest.Fault{}, []string{"GUILD_MEMBER_UPDATE", "GUILD_ROLE_DELETE"}},
		"audit_late":        {discordtest.Fault{}, []string{"GUILD_MEMBER_UPDATE", "GUILD_ROLE_DELETE"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
			l, _ := r.connect(intentsOurs)
			c.fault.Name = name
			r.fault(c.fault)
			role(r)
			if slices.Contains(c.want, "GUILD_ROLE_DELETE") {
				r.must(r.s.DeleteRole(r.guild, 50, 0))
			}
			var got []string
			for range c.want {
				got = append(got, l.read().name())
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("the stream differs (-want +got):\n%s", d)
			}
		})
	}
}

func (m message) name() string {
	switch m.Op {
	case 7:
		return "op7"
	case 9:
		return "op9 " + string(m.Data)
	default:
		return m.Name
	}
}

func TestAMissedEventLeavesAHoleThatAResumeDoesNotFill(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, session := r.connect(1 | 2)
	r.fault(discordtest.Fault{Name: "missed_events", At: 2})
	r.must(r.s.TakeRole(r.guild, 201, 30, 0))
	r.must(r.s.TakeRole(r.guild, 202, 30, 0))
	r.must(r.s.TakeRole(r.guild, 203, 30, 0))
	if a, b := l.read(), l.read(); *b.Seq != *a.Seq+2 {
		t.Errorf("the numbers are %d and %d, want a hole of one", *a.Seq, *b.Seq)
	}
	r.cut(l)
	l = r.dial()
	l.send(6, map[string]any{"token": r.token, "session_id": session, "seq": 2})
	if d := cmp.Diff([]string{"GUILD_MEMBER_UPDATE", "GUILD_MEMBER_UPDATE", "RESUMED"}, l.names(3)); d != "" {
		t.Errorf("the replay differs (-want +got):\n%s", d)
	}
}

func TestALateEntryComesLater(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, _ := r.connect(intentsOurs)
	r.fault(discordtest.Fault{Name: "audit_late"})
	r.must(r.s.TakeRole(r.guild, 201, 30, 0))
	if log, err := r.s.AuditLog(r.guild); err != nil || len(log) != 0 {
		t.Errorf("the log has %d entries (%v), want none yet", len(log), err)
	}
	r.clock.Advance(5 * time.Second)
	if d := cmp.Diff([]string{"GUILD_MEMBER_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE"}, l.names(2)); d != "" {
		t.Error(d)
	}
}

func TestAGuildComesBackFromTheFaultByTheClock(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, _ := r.connect(intentsOurs)
	r.fault(discordtest.Fault{Name: "guild_unavailable"})
	r.must(r.s.TakeRole(r.guild, 201, 30, 0))
	l.await("GUILD_DELETE")
	r.clock.Advance(5 * time.Second)
	l.await("GUILD_CREATE")
}

func TestFaultsOfConnecting(t *testing.T) {
	t.Run("drop_after_accept", func(t *testing.T) {
		r := newRig(t, discordtest.Config{})
		r.fault(discordtest.Fault{Name: "drop_after_accept"})
		l := r.tryDial()
		if got := l.closed(); got > 0 {
			t.Errorf("closed with %d, want a cut", got)
		}
		r.connect(intentsOurs)
	})
	t.Run("no_heartbeat_ack", func(t *testing.T) {
		r := newRig(t, discordtest.Config{})
		l := r.dial()
		r.fault(discordtest.Fault{Name: "no_heartbeat_ack"})
		l.send(1, nil)
		l.send(2, map[string]any{"token": r.token, "intents": 1})
		if m := l.read(); m.Name != "READY" {
			t.Errorf("after an unanswered beat comes op %d, want READY", m.Op)
		}
	})
	t.Run("unknown_channel_kind", func(t *testing.T) {
		r := newRig(t, discordtest.Config{})
		r.fault(discordtest.Fault{Name: "unknown_channel_kind"})
		l := r.dial()
		l.send(2, map[string]any{"token": r.token, "intents": 1})
		var g struct{ Channels []struct{ Type int } }
		l.decode(l.await("GUILD_CREATE"), &g)
		if n := len(g.Channels); n != 2 || g.Channels[1].Type != 99 {
			t.Errorf("the channels are %+v, want one of kind 99", g.Channels)
		}
	})
	t.Run("event_before_guild_create", func(t *testing.T) {
		r := newRig(t, discordtest.Config{})
		r.fault(discordtest.Fault{Name: "event_before_guild_create"})
		l := r.dial()
		l.send(2, map[string]any{"token": r.token, "intents": 7})
		if d := cmp.Diff([]string{"READY", "GUILD_MEMBER_UPDATE", "GUILD_CREATE"}, l.names(3)); d != "" {
			t.Error(d)
		}
	})
	t.Run("role_delete_silent", func(t *testing.T) {
		r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
		l, _ := r.connect(1 | 2)
		r.must(r.s.DeleteRole(r.guild, 31, 0))
		r.fault(discordtest.Fault{Name: "role_delete_silent"})
		r.must(r.s.DeleteRole(r.guild, 30, 0))
		r.must(r.s.Join(r.guild, discordtest.Arrival{ID: 900, Username: "x"}))
		want := []string{"GUILD_ROLE_DELETE", "GUILD_MEMBER_UPDATE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_ADD"}
		if d := cmp.Diff(want, l.names(4)); d != "" {
			t.Error(d)
		}
	})
}

func TestFaultsOfChunks(t *testing.T) {
	for name, want := range map[string][]int{
		"chunk_lost":          {0, 2},
		"chunk_doubled":       {0, 1, 1, 2},
		"chunks_reordered":    {0, 2, 1},
		"chunks_rate_limited": {-1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, discordtest.Config{World: world(t, "empty").Populate(2500, 1)})
			l, _ := r.connect(intentsOurs)
			f := discordtest.Fault{Name: name, At: 2}
			if name == "chunks_rate_limited" {
				f.At = 1
			}
			r.fault(f)
			l.send(8, map[string]any{"guild_id": r.guild.String(), "query": "", "limit": 0})
			var got []int
			for range want {
				m := l.read()
				c := struct {
					Index int `json:"chunk_index"`
				}{}
				l.decode(m, &c)
				if m.Name == "RATE_LIMITED" {
					c.Index = -1
				}
				got = append(got, c.Index)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("the chunks differ (-want +got):\n%s", d)
			}
		})
	}
}

func TestAFaultCountsMatchingCallsAndTheSameSeedThrowsTheSameDice(t *testing.T) {
	pattern := func(f discordtest.Fault) string {
		r := newRig(t, discordtest.Config{Unlimited: true})
		r.fault(f)
		var out strings.Builder
		for range 20 {
			r.do("GET", "/guilds/{g}/roles", "")
			if a := r.do("GET", "/guilds/{g}/members/41", ""); a.status == 200 {
				out.WriteString(".")
			} else {
				out.WriteString("x")
			}
		}
		return out.String()
	}
	at := discordtest.Fault{Name: "5xx_before", At: 3, Count: 2, Match: discordtest.Match{Method: "get", Route: "/api/v10/guilds/{guild}/members/{user}"}}
	if got, want := pattern(at), "..xx................"; got != want {
		t.Errorf("at 3, twice: %s, want %s", got, want)
	}
	dice := discordtest.Fault{Name: "5xx_before", Probability: 0.3, Seed: 7, Count: 100, Match: discordtest.Match{Route: "/guilds/{g}/members/{u}"}}
	first, second := pattern(dice), pattern(dice)
	if first != second || !slices.Contains([]byte(first), 'x') || !slices.Contains([]byte(first), '.') {
		t.Errorf("one seed threw %s and %s", first, second)
	}
}
