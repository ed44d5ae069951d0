//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
	"gatecamp/internal/secret"
	"gatecamp/notify"
)

func TestASummaryArrivesAtTheWebhookAsItWasRendered(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	hook := secret.New(s.Hello().Webhooks[0].URL)
	m := notify.Message{Title: "Run 7 succeeded", Text: "@everyone It only looked.", Tone: notify.Quiet, Fields: []notify.Field{{Name: "Members", Value: "3 in order"}}, Footer: "took 1s"}
	if err := c.Post(t.Context(), hook, m); err != nil {
		t.Fatal(err)
	}
	deliveries := s.Deliveries()
	if len(deliveries) != 1 || deliveries[0].Status != 200 {
		t.Fatalf("deliveries: %+v", deliveries)
	}
	var body struct {
		Embeds []struct {
			Title, Description string
			Fields             []struct{ Name, Value string }
			Footer             struct{ Text string }
		}
		AllowedMentions struct{ Parse []string } `json:"allowed_mentions"`
	}
	if err := json.Unmarshal(deliveries[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Embeds) != 1 {
		t.Fatalf("body: %s", deliveries[0].Body)
	}
	e := body.Embeds[0]
	got := []string{e.Title, e.Description, e.Fields[0].Name, e.Fields[0].Value, e.Footer.Text}
	if diff := cmp.Diff([]string{m.Title, m.Text, "Members", "3 in order", "took 1s"}, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if body.AllowedMentions.Parse == nil || len(body.AllowedMentions.Parse) != 0 {
		t.Errorf("the message may ping somebody: %s", deliveries[0].Body)
	}
}

func TestAWebhookThatDoesNotTakeItIsToldWithoutItsAddress(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	good := s.Hello().Webhooks[0].URL
	token := good[strings.LastIndex(good, "/")+1:]
	fault(t, s, discordtest.Fault5xxBefore, on("POST", "/webhooks/{id}/{token}"))
	for _, post := range []struct{ address, want string }{
		{good, "not posted"},
		{good[:len(good)-4] + "gone", "is gone"},
		{"https://example.com/", "is none"},
	} {
		err := c.Post(t.Context(), secret.New(post.address), notify.Message{Title: "x"})
		if err == nil || !strings.Contains(err.Error(), post.want) {
			t.Errorf("%v, want %q", err, post.want)
		}
		if err != nil && strings.Contains(err.Error(), token[:20]) {
			t.Errorf("the error holds the address: %v", err)
		}
	}
}
