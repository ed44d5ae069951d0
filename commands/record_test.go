package commands

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/enforcement"
	"gatecamp/enforcement/rules"
)

// heard is what rules are told.
type heard struct {
	mu  sync.Mutex
	all []enforcement.Incident
}

func (h *heard) record(c *Config) {
	c.Record = func(i enforcement.Incident) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, i)
	}
}

// news are the incidents since the last call.
func (h *heard) news() (all []enforcement.Incident) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all, h.all = h.all, nil
	return all
}

func (h *heard) kinds() (kinds []string) {
	for _, i := range h.news() {
		kinds = append(kinds, i.Type)
	}
	return kinds
}

func expect(t *testing.T, got []string, kinds ...string) {
	t.Helper()
	if diff := cmp.Diff(kinds, got); diff != "" {
		t.Errorf("incidents (-want +got):\n%s", diff)
	}
}

func TestRulesAreToldWhatCameOfACommand(t *testing.T) {
	var h heard
	r := newRig(t, h.record)
	r.run(dara, "audit run")
	all := h.news()
	if len(all) != 2 || all[0].Type != "discord.command.user_error" || all[1].Type != rules.CommandRefused {
		t.Fatalf("a refused command is %+v", all)
	}
	refused := all[1]
	if refused.Actor.User != uint64(dara) || refused.Actor.Guild != uint64(guildID) || refused.Route != "cmd:audit/run" || refused.Fields["refusal"] != "permission_denied" ||
		refused.Fields["command"] != "audit run" {
		t.Errorf("refused: %+v", refused)
	}
	r.grant(dara, audit.RightRun)
	r.run(dara, "audit run")
	expect(t, h.kinds(), "discord.command.success")
	r.typing(dara, "audit apply", "run", "run", "1")
	expect(t, h.kinds())
	r.run(dara, "explain", "member", mako)
	i := h.news()[0]
	if i.Fields["member"] != mako.String() || !slices.Contains(i.Actor.Roles, uint64(roleMember)) && len(i.Actor.Roles) == 0 {
		t.Errorf("explain: %+v", i)
	}
	r.run(dara, "pause", "reason", "my own words")
	for _, i := range h.news() {
		for name, v := range i.Fields {
			if text, is := v.(string); is && strings.Contains(text, "own words") {
				t.Errorf("what a person wrote reaches the rules as %s: %+v", name, i)
			}
		}
	}
	r.rights.err = context.DeadlineExceeded
	r.run(dara, "audit run")
	expect(t, h.kinds(), "discord.command.error")
	r.rights.err, r.rights.panic = nil, true
	r.run(dara, "audit run")
	expect(t, h.kinds(), "discord.command.error")
}

func TestRulesAreNotToldOfWhatTheGuardDeniedOrOfOtherGuilds(t *testing.T) {
	var h heard
	r := newRig(t, h.record, func(c *Config) {
		c.Guard = func(context.Context, Attempt) *Denial { return &Denial{Reason: "no"} }
	})
	r.run(dara, "audit run")
	expect(t, h.kinds())
	r.c.cfg.Guard = nil
	r.elsewhere = true
	r.run(dara, "audit run")
	expect(t, h.kinds())
}

func TestAnAllowanceThatIsUsedUpIsARefusalToo(t *testing.T) {
	var h heard
	r := newRig(t, h.record, func(c *Config) { c.RunsPerUser = 1 })
	r.grant(dara, audit.RightRun)
	r.run(dara, "audit run")
	h.news()
	r.run(dara, "audit run")
	all := h.news()
	if len(all) != 2 || all[1].Type != rules.CommandRefused || all[1].Fields["refusal"] != "rate_limited" {
		t.Errorf("incidents %+v", all)
	}
}

func TestAFailedConfirmationIsToldOfWhoAndOfWhichCard(t *testing.T) {
	wrong := func(t *testing.T, h *heard, user uint64, card string, kinds ...string) {
		t.Helper()
		all := h.news()
		var got []string
		for _, i := range all {
			got = append(got, i.Type)
		}
		expect(t, got, kinds...)
		if last := all[len(all)-1]; last.Actor.User != user || last.Actor.Session != card || last.Type != rules.ConfirmationFail {
			t.Errorf("the confirmation that failed is %+v, want user %d and card %q", last, user, card)
		}
		for _, i := range all[:len(all)-1] {
			if i.Actor.Session != "" {
				t.Errorf("the outcome is counted by the card: %+v", i)
			}
		}
	}
	t.Run("the wrong phrase", func(t *testing.T) {
		var h heard
		r, card := crowded(t, h.record)
		modal := r.press(dara, card, "Strip 30 members")
		custom, _, _ := card.button("Strip 30 members")
		id, _, _ := cutID(custom)
		h.news()
		r.fill(dara, modal, map[string]any{"phrase": "yes"})
		wrong(t, &h, uint64(dara), id, "discord.modal.user_error", rules.ConfirmationFail)
	})
	t.Run("somebody else's card without the right", func(t *testing.T) {
		var h heard
		r, card := carded(t, "strip", h.record)
		custom, _, _ := card.button("Strip 5 members")
		id, _, _ := cutID(custom)
		h.news()
		r.press(kael, card, "Strip 5 members")
		wrong(t, &h, uint64(kael), id, "discord.component.user_error", rules.CommandRefused, rules.ConfirmationFail)
		r.grant(kael, audit.RightRun, audit.RightApply)
		r.press(kael, card, "Strip 5 members")
		expect(t, h.kinds(), "discord.component.success")
	})
	t.Run("an expired card", func(t *testing.T) {
		var h heard
		r, card := carded(t, "strip", h.record)
		custom, _, _ := card.button("Strip 5 members")
		id, _, _ := cutID(custom)
		r.pass(5*time.Minute + time.Second)
		h.news()
		r.press(dara, card, "Strip 5 members")
		wrong(t, &h, uint64(dara), id, "discord.component.user_error", rules.ConfirmationFail)
	})
	t.Run("a card that there is not", func(t *testing.T) {
		var h heard
		r, _ := carded(t, "strip", h.record)
		made := customID(newCardID(), verbGo)
		m := r.post(made)
		h.news()
		r.see(r.s.PressMessage(t.Context(), m, pressBy("1001", made)))
		wrong(t, &h, uint64(dara), "", "discord.component.user_error", rules.CommandRefused, rules.ConfirmationFail)
	})
}

func TestNumbersThatAreGivenReachTheGuard(t *testing.T) {
	var asked []Attempt
	r := newRig(t, func(c *Config) {
		c.Guard = func(_ context.Context, a Attempt) *Denial { asked = append(asked, a); return nil }
	})
	r.run(dara, "audit run")
	r.run(dara, "audit apply", "run", "12")
	if len(asked) != 2 || asked[0].Options != nil || !cmp.Equal(asked[1].Options, map[string]any{"run": 12.0}) {
		t.Errorf("asked %+v", asked)
	}
}

func TestTheGuardIsToldWhichCardWasPressed(t *testing.T) {
	var asked []Attempt
	r, card := carded(t, "strip", func(c *Config) {
		c.Guard = func(_ context.Context, a Attempt) *Denial { asked = append(asked, a); return nil }
	})
	custom, _, _ := card.button("Strip 5 members")
	id, _, _ := cutID(custom)
	made := "no card of ours.go"
	m := r.post(made)
	asked = nil
	r.press(kael, card, "Strip 5 members")
	r.see(r.s.PressMessage(t.Context(), m, pressBy("1001", made)))
	if len(asked) != 2 || asked[0].Card != id || asked[1].Card != "" {
		t.Errorf("asked %+v, want card %s first", asked, id)
	}
}

func TestWhatCountsAsANumber(t *testing.T) {
	for text, want := range map[string]float64{
		"12": 12, "-3": -3, "175928847299117063": 1, "175928847299117063 175928847299117064": 2, "<@175928847299117063>, <@!175928847299117064>,175928847299117065": 3,
	} {
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := numberOf(discord.ApplicationCommandOptionTypeString, raw); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, raw := range []string{`"12 of them"`, `""`, `"my words"`, `true`, `"175928847299117063 and he"`} {
		if got, ok := numberOf(discord.ApplicationCommandOptionTypeString, []byte(raw)); ok {
			t.Errorf("%s is the number %v", raw, got)
		}
	}
}
