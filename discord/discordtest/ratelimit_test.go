package discordtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatecamp/discord/discordtest"
)

// The table of reference/discord.md 2.1: so many calls pass in a window, the next does not, and after the window one does again.
func TestBucketsAreThoseOfTheTable(t *testing.T) {
	for _, b := range []struct {
		method, path, body string
		limit              int
		window             time.Duration
	}{
		{"PATCH", "/guilds/{g}/members/201", `{"roles": ["30"]}`, 10, 10 * time.Second},
		{"DELETE", "/guilds/{g}/members/201/roles/30", "", 10, 10 * time.Second},
		{"DELETE", "/guilds/{g}/members/999", "", 5, time.Second},
		{"GET", "/guilds/{g}/members/201", "", 5, time.Second},
		{"GET", "/guilds/{g}/members", "", 10, 10 * time.Second},
		{"GET", "/guilds/{g}/members/search?query=x", "", 10, 10 * time.Second},
		{"POST", "/guilds/{g}/bulk-ban", `{"user_ids": ["1"]}`, 1, 5 * time.Second},
		{"GET", "/guilds/{g}/onboarding", "", 5, time.Minute},
		{"PUT", "/applications/42/guilds/{g}/commands", "[]", 2, time.Minute},
		{"POST", "/webhooks/1/x", `{}`, 5, 2 * time.Second},
	} {
		t.Run(b.method+" "+b.path, func(t *testing.T) {
			r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
			for i := range b.limit {
				a := r.do(b.method, b.path, b.body)
				if a.status == 429 {
					t.Fatalf("call %d of %d is refused", i+1, b.limit)
				}
				if got, want := a.header.Get("X-RateLimit-Remaining"), fmt.Sprint(b.limit-i-1); got != want {
					t.Errorf("after call %d remain %s, want %s", i+1, got, want)
				}
			}
			r.clock.Advance(b.window - 10*time.Millisecond)
			a := r.want(429, 0, b.method, b.path, b.body)
			body := into[struct {
				Message string
				Retry   float64 `json:"retry_after"`
				Global  bool
			}](t, a)
			if body.Retry != 0.01 || body.Global || body.Message == "" {
				t.Errorf("the body is %+v, want to wait 0.01 s", body)
			}
			for name, want := range map[string]string{
				"Retry-After": "1", "X-RateLimit-Scope": "user", "X-RateLimit-Reset-After": "0.010", "X-RateLimit-Remaining": "0", "X-RateLimit-Limit": fmt.Sprint(b.limit),
				"Via": "1.1 google", "X-RateLimit-Global": "",
			} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			r.clock.Advance(10 * time.Millisecond)
			if a := r.do(b.method, b.path, b.body); a.status == 429 {
				t.Error("a new window is refused too")
			}
		})
	}
}

func TestGivingAndTakingShareABucketAndTheBotsDoNot(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	for range 5 {
		r.want(204, 0, "DELETE", "/guilds/{g}/members/201/roles/30", "")
		r.want(204, 0, "PUT", "/guilds/{g}/members/201/roles/30", "")
	}
	given := r.want(429, 0, "PUT", "/guilds/{g}/members/202/roles/31", "")
	r.want(429, 0, "DELETE", "/guilds/{g}/members/202/roles/31", "")
	patch := r.want(200, 0, "PATCH", "/guilds/{g}/members/202", `{}`)
	if given.header.Get("X-RateLimit-Bucket") == patch.header.Get("X-RateLimit-Bucket") {
		t.Error("PATCH has the bucket of PUT")
	}
	r.as(discordtest.BotAuth).want(204, 0, "PUT", "/guilds/{g}/members/202/roles/31", "")
}

func TestRoutesWithoutABucketHaveNoHeadersAndStandUnderTheGlobalLimit(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	for range 50 {
		a := r.want(200, 0, "GET", "/guilds/{g}/roles", "")
		if got := a.header.Get("X-RateLimit-Bucket"); got != "" {
			t.Fatalf("the bucket is %s, want none", got)
		}
	}
	a := r.want(429, 0, "GET", "/guilds/{g}/roles", "")
	if a.header.Get("X-RateLimit-Global") != "true" || a.header.Get("X-RateLimit-Scope") != "global" || a.header.Get("X-RateLimit-Bucket") != "" {
		t.Errorf("the headers of a global 429 are %v", a.header)
	}
	if !into[struct{ Global bool }](t, a).Global {
		t.Error("the body does not say that it is global")
	}
	r.as(discordtest.BotAuth).want(200, 0, "GET", "/guilds/{g}/roles", "")
	r.want(404, 10062, "POST", "/interactions/1/x/callback", `{"type": 5}`) // interactions are free of it
	r.clock.Advance(time.Second)
	r.want(200, 0, "GET", "/guilds/{g}/roles", "")
}

func TestTenThousandInvalidAnswersBlockTheAddress(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	r.token = ""
	for range 9_999 {
		if a := r.do("GET", "/guilds/{g}", ""); a.status != 401 {
			t.Fatalf("status %d, want 401", a.status)
		}
	}
	if got := r.s.InvalidRequests("127.0.0.1"); got != 9_999 {
		t.Errorf("%d invalid answers are counted, want 9,999", got)
	}
	r.want(200, 0, "GET", "/gateway", "")
	r.do("GET", "/guilds/{g}", "")
	a := r.do("GET", "/gateway", "")
	if a.status != 429 || !strings.Contains(string(a.body), "1015") || a.header.Get("Via") != "" {
		t.Errorf("after 10,000: %d %s Via %q, want Cloudflare's page without Via", a.status, a.body, a.header.Get("Via"))
	}
	r.clock.Advance(24*time.Hour + time.Second)
	r.want(200, 0, "GET", "/gateway", "")
}

func TestInvalidAnswersAreForgottenAfterTenMinutesAndSharedOnesNeverCount(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	r.want(403, 50013, "DELETE", "/guilds/{g}/members/100", "")
	if _, err := r.s.AddFault(discordtest.Fault{Name: "429_shared"}); err != nil {
		t.Fatal(err)
	}
	r.want(429, 0, "GET", "/guilds/{g}/roles", "")
	if got := r.s.InvalidRequests("127.0.0.1"); got != 1 {
		t.Errorf("%d are counted, want the 403 alone", got)
	}
	r.clock.Advance(10 * time.Minute)
	if got := r.s.InvalidRequests("127.0.0.1"); got != 0 {
		t.Errorf("%d are counted after 10 minutes, want 0", got)
	}
}

func TestAServerWithoutLimitsHasNone(t *testing.T) {
	r := newRig(t, discordtest.Config{Unlimited: true})
	for range 120 {
		r.want(200, 0, "GET", "/guilds/{g}/members/41", "")
	}
}
