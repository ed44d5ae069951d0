//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// onJumpyClock is `gatecamp serve` at work in this process, by a clock that the test sets.
type onJumpyClock struct {
	t     *testing.T
	ahead atomic.Int64 // of the machine's clock
	log   lockedText
	http  string
}

type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// now has no monotonic part: what reads it sees each jump.
func (s *onJumpyClock) now() time.Time {
	return time.Now().Add(time.Duration(s.ahead.Load())).Round(0)
}

func startServing(t *testing.T, tt *terminal) *onJumpyClock {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &onJumpyClock{t: t, http: l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tt.env["GATECAMP_HTTP_LISTEN"], tt.env["GATECAMP_AUTH_INTERVAL"] = s.http, "1s"
	c := tt.console(io.Discard, &s.log)
	c.now = s.now
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"serve"}, c) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("serve ended with %v", err)
		}
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// until waits for what must come; it is generous, since the machine may be busy.
func (s *onJumpyClock) until(what string, is func() bool) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(45 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("never: %s", what)
		}
	}
}

func (s *onJumpyClock) page(path string) string {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.http+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

func (s *onJumpyClock) auth(verdict string) {
	s.t.Helper()
	s.until("Auth is "+verdict, func() bool {
		return strings.Contains(s.page("/metrics"), fmt.Sprintf(`gatecamp_auth_health{guild="900",verdict=%q} 1`, verdict))
	})
}

// The clock of the machine jumps by more than a whole grace, forwards and back, and backwards. A clock that differs from Discord's proves
// nothing about how long somebody has been a member, so nobody is touched; nobody loses the grace by it, and the lease is kept (fault: clock jump).
func TestAClockThatJumpsEndsNoGraceAndLosesNoLease(t *testing.T) {
	tt, discord := onDiscord(t)
	s := startServing(t, tt)
	s.until("it serves", func() bool { return strings.Contains(s.page("/readyz"), `"ready":true`) })
	tt.ok("bind", "add", "--all-proposed", "--reason", "ours")
	tt.ok("policy", "set", tt.file("policy.yaml", `unknown_guest: {default: strip_kick, realtime: act, grace: 72h}
limits:
  members:  {run: {floor: 50, ceiling: 50}, live_15m: {floor: 50, ceiling: 50}, day: {floor: 50, ceiling: 50}}
  one_role: {run: {floor: 50, ceiling: 50}, day: {floor: 50, ceiling: 50}}
`), "--reason", "strangers go after three days")
	tt.ok("audit", "run")
	newest := fmt.Sprint(tt.ok("audit", "history", "--json", "--limit", "1").object()["run"])
	tt.ok("audit", "acknowledge", newest, "--reason", "read it")

	const guest, recruiters = snowflake.ID(777), snowflake.ID(16)
	give := func() {
		t.Helper()
		if err := discord.GiveRole(guildID, guest, recruiters, 0); err != nil {
			t.Fatal(err)
		}
	}
	again := func() {
		t.Helper()
		if err := discord.TakeRole(guildID, guest, recruiters, 0); err != nil {
			t.Fatal(err)
		}
		give()
	}
	holds := func() bool { return slices.Contains(rolesAt(t, discord, guest), recruiters) }
	if err := discord.Join(guildID, discordtest.Arrival{ID: guest, Username: "guest"}); err != nil {
		t.Fatal(err)
	}
	give()
	s.until("a managed role goes at once", func() bool { return !holds() })

	// Four days ahead the guest would be no newcomer any more.
	s.ahead.Store(int64(100 * time.Hour))
	give()
	s.auth("doubtful")
	if !holds() {
		t.Error("with a clock that is ahead somebody was touched")
	}
	s.ahead.Store(0)
	again()
	s.auth("healthy")
	s.until("with the clock set right the role goes, and its holder stays", func() bool { return !holds() })

	// Four days behind everybody is a newcomer: the milder mistake.
	s.ahead.Store(int64(-100 * time.Hour))
	again()
	s.until("with a clock that is behind the role goes, and its holder stays", func() bool { return !holds() })
	s.ahead.Store(0)
	again()
	s.until("the role goes once more, and its holder stays", func() bool { return !holds() })
	if view := s.page("/readyz"); !strings.Contains(view, `"role":"owner"`) {
		t.Errorf("it says of itself: %s", view)
	}
	if log := s.log.String(); strings.Contains(log, "lease is lost") || !strings.Contains(s.page("/metrics"), `gatecamp_gateway_sessions_total{shard="0"} 1`) {
		t.Error("the lease or the session was lost")
	}
}
