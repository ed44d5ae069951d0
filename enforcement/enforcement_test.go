package enforcement_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatecamp/enforcement"
)

func TestACanonicalValueReadsBackAsTheSameSubject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scope := rapid.SampledFrom([]enforcement.Scope{enforcement.User, enforcement.Account, enforcement.Member, enforcement.IP, enforcement.Role}).Draw(t, "scope")
		s := enforcement.Subject{Scope: scope, ID: rapid.Uint64Range(1, 1<<63-1).Draw(t, "id")}
		if scope == enforcement.Member {
			s.Guild = rapid.Uint64Range(1, 1<<63-1).Draw(t, "guild")
		}
		if scope == enforcement.IP {
			a := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4")))
			if rapid.Bool().Draw(t, "is v6") {
				a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6"))).Unmap()
			}
			s = enforcement.Subject{Scope: scope}
			s.Net, _ = a.Prefix(rapid.IntRange(16, a.BitLen()).Draw(t, "bits"))
		}
		back, err := enforcement.ParseSubject(scope, s.Value())
		if err != nil || back != s {
			t.Fatalf("%s came back as %s: %v", s, back, err)
		}
	})
}

func TestABlockIsOverAtItsEndAndARevokedOneAtOnce(t *testing.T) {
	noon := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	b := enforcement.Block{Start: noon, End: noon.Add(time.Minute)}
	if !b.Active(noon) || b.Active(noon.Add(time.Minute)) || b.Remaining(noon) != time.Minute || b.Remaining(noon.Add(time.Hour)) != 0 {
		t.Errorf("temporary: %+v", b)
	}
	b.Revoked = noon
	if b.Active(noon) {
		t.Error("a revoked block is active")
	}
	forever := enforcement.Block{Start: noon}
	if !forever.Active(noon.AddDate(50, 0, 0)) || forever.Longer(noon.AddDate(99, 0, 0)) || forever.Longer(time.Time{}) || !b.Longer(time.Time{}) {
		t.Error("a permanent block ends, or something is longer than it")
	}
}

func TestSecretsAreScrubbedAndOrdinaryWordsStay(t *testing.T) {
	id, middle, tail := "MTc1OTI4ODQ3Mjk5MTE3MDYz", "Gx4mPl", strings.Repeat("a", 38)
	for _, secret := range []string{
		id + "." + middle + "." + tail,
		"https://discord.com/api/webhooks/175928847299117063/" + strings.Repeat("x", 68),
		"https://canary.discordapp.com/api/v10/webhooks/1/" + strings.Repeat("y", 68),
		"aW50ZXJhY3Rpb246" + strings.Repeat("QUJD", 20),
		"Bot " + strings.Repeat("t", 40),
		"webhooks/175928847299117063/" + strings.Repeat("z", 60),
		"mysql://aa:" + "canary-1@db:3306/aa?tls=1",
		"postgres://gatecamp:" + "canary/2@127.0.0.1/gatecamp",
		"redis://:" + "canary-3@r:6379/0",
		"aa:" + "canary-4@tcp(db:3306)/aa",
		"password=" + "canary-5",
	} {
		got := enforcement.Scrub("before " + secret + " after")
		if got != "before "+enforcement.Redacted+" after" {
			t.Errorf("%q was left of %q", got, secret)
		}
	}
	for _, plain := range []string{
		"business_name", "token_count", "secretary", "class_name", "https://discord.com/channels/1/2", "1.2.3.4", "a.b.c", "cmd:audit/run",
		"guild:175928847299117063", "https://example.org/a?b=c@d", "password_hint", "bot account", "bearer of news", "mysql://db/aa", "discord:5@home",
	} {
		if got := enforcement.Scrub(plain); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}

func TestTextsInEventsAreBoundedAndEmptyOnesLeftOut(t *testing.T) {
	e := enforcement.Event{Type: enforcement.BlockApplied, Subject: enforcement.Subject{Scope: enforcement.User, ID: 7}, Action: "temp", TTL: 90*time.Second + 1, Reason: strings.Repeat("é", 5_000)}
	a := e.Attributes()
	if reason, ok := a["enforcement.reason"].(string); !ok || len(reason) > 1_100 || !strings.HasSuffix(reason, "é[TRUNCATED]") {
		t.Errorf("reason of %d bytes", len(reason))
	}
	if a["enforcement.ttl"] != int64(91) || a["scope.type"] != "user" || a["scope.value"] != "7" || a["event_type"] != "audit.enforcement.block_applied" {
		t.Errorf("attributes %v", a)
	}
	for _, absent := range []string{"security_rule.name", "enforcement.fail_mode", "enforcement.suppressed", "enforcement.expires_at"} {
		if v, there := a[absent]; there {
			t.Errorf("%s is %v", absent, v)
		}
	}
}

func TestTheClientIsOnlyWhomTrustedProxiesName(t *testing.T) {
	c := enforcement.Defaults()
	c.Proxies, c.ProxyCount = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, 1
	for name, x := range map[string]struct{ peer, header, want string }{
		"a trusted proxy":          {"10.1.1.1", "1.1.1.1, 192.0.2.7", "192.0.2.7"},
		"a mapped trusted proxy":   {"::ffff:10.1.1.1", "192.0.2.7", "192.0.2.7"},
		"somebody else":            {"198.51.100.1", "192.0.2.7", "198.51.100.1"},
		"an entry that is no such": {"10.1.1.1", "unknown", "10.1.1.1"},
	} {
		if got := c.Client(netip.MustParseAddr(x.peer), []string{x.header}); got.String() != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	if got := c.Client(netip.MustParseAddr("10.1.1.1"), nil); got.String() != "10.1.1.1" {
		t.Errorf("without a header: %s", got)
	}
}
