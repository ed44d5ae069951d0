//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/discord"
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

// posted is a message as the local Discord shows it.
type posted struct {
	ID          string
	Embeds      []struct{ Title, Description string }
	Attachments []struct{ Filename string }
}

func channel(t *testing.T, s *discordtest.Server) (channel snowflake.ID) {
	t.Helper()
	id, err := s.AddChannel(guild, "admins")
	must(t, err)
	return id
}

func messagesIn(t *testing.T, s *discordtest.Server, channel snowflake.ID) (list []posted) {
	t.Helper()
	all, err := s.Messages(channel)
	must(t, err)
	for _, raw := range all {
		var p posted
		must(t, json.Unmarshal(raw, &p))
		list = append(list, p)
	}
	return list
}

func undelivered(t *testing.T, err error) *discord.Undelivered {
	t.Helper()
	u, ok := errors.AsType[*discord.Undelivered](err)
	if !ok {
		t.Fatalf("error %v, want an *Undelivered", err)
	}
	return u
}

func TestAMessageInAChannelIsChangedByItsId(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	at := channel(t, s)
	id, err := c.Send(t.Context(), at, notify.Message{Title: "Run 7 began"}, notify.File{Name: "all.csv", Data: []byte("a,b\n")})
	must(t, err)
	must(t, c.Edit(t.Context(), at, id, notify.Message{Title: "Run 7 ended", Text: "@everyone"}))
	all := messagesIn(t, s, at)
	if len(all) != 1 || all[0].ID != id.String() || all[0].Embeds[0].Title != "Run 7 ended" || len(all[0].Attachments) != 1 || all[0].Attachments[0].Filename != "all.csv" {
		t.Errorf("messages %+v", all)
	}
	must(t, c.Edit(t.Context(), at, id, notify.Message{Title: "Run 7 ended"}, notify.File{Name: "new.csv", Data: []byte("a,b\n")}))
	if all := messagesIn(t, s, at); len(all[0].Attachments) != 1 || all[0].Attachments[0].Filename != "new.csv" {
		t.Errorf("the new file did not replace the old one: %+v", all)
	}
	for _, r := range s.Requests(0) {
		if strings.Contains(r.Route, "messages") && !strings.Contains(string(r.Body), `"parse":[]`) {
			t.Errorf("it may ping somebody: %s", r.Body)
		}
	}
}

func TestAMessageThatCannotBeDeliveredSaysWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, b := client(t, s)
	at := channel(t, s)
	id, err := c.Send(t.Context(), at, notify.Message{Title: "x"})
	must(t, err)
	if u := undelivered(t, c.Edit(t.Context(), at, id+1, notify.Message{Title: "y"})); u.Fate != discord.Gone || u.Code != "discord_10008" {
		t.Errorf("a deleted message: %s %s", u.Fate, u.Code)
	}
	_, err = c.Send(t.Context(), 5, notify.Message{Title: "x"})
	if u := undelivered(t, err); u.Fate != discord.Gone || u.Code != "discord_10003" {
		t.Errorf("no such channel: %s %s", u.Fate, u.Code)
	}
	_, err = c.Send(t.Context(), at, notify.Message{Text: strings.Repeat("x", 5000)})
	if u := undelivered(t, err); u.Fate != discord.Rejected {
		t.Errorf("a message that is too long: %s %s", u.Fate, u.Code)
	}
	fault(t, s, discordtest.Fault5xxAfter, on("POST", "/channels/{c}/messages"))
	_, err = c.Send(t.Context(), at, notify.Message{Title: "x"})
	if u := undelivered(t, err); u.Fate != discord.Later || !u.Perhaps {
		t.Errorf("an answer of 500: %s, perhaps %v", u.Fate, u.Perhaps)
	}
	hook := s.Hello().Webhooks[0].URL
	for range 5 { // the window's slots
		_ = c.Post(t.Context(), secret.New(hook), notify.Message{Title: "x"})
	}
	fault(t, s, discordtest.Fault429User, on("POST", "/webhooks/{id}/{token}"), times(9))
	err = c.Post(t.Context(), secret.New(hook), notify.Message{Title: "x"})
	if u := undelivered(t, err); u.Fate != discord.Later || u.RetryAfter <= 0 || u.Perhaps {
		t.Errorf("429: %s, again in %v, perhaps %v", u.Fate, u.RetryAfter, u.Perhaps)
	}
	if token := hook[strings.LastIndex(hook, "/")+1:]; strings.Contains(b.String()+err.Error(), token) {
		t.Error("the webhook's address is in the log or an error")
	}
}

func TestADirectMessageOpensItsChannelOnce(t *testing.T) {
	t.Parallel()
	s := here(t, 2)
	c, _, _ := client(t, s)
	for range 3 {
		must(t, c.DirectMessage(t.Context(), pilot, notify.Message{Title: "Your role will be taken"}))
	}
	opened := 0
	for _, r := range s.Requests(0) {
		if r.Method == http.MethodPost && r.Route == "/users/@me/channels" {
			opened++
		}
	}
	if opened != 1 {
		t.Errorf("the channel was opened %d times", opened)
	}
	must(t, s.Leave(guild, pilot))
	err := c.DirectMessage(t.Context(), pilot, notify.Message{Title: "x"})
	if u := undelivered(t, err); !errors.Is(err, discord.ErrClosed) || u.Fate != discord.Barred {
		t.Errorf("%v: %s", err, u.Fate)
	}
}

func TestAWebhookThatIsSlowHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	fault(t, s, discordtest.FaultSlow, on("POST", "/webhooks/{id}/{token}"))
	ctx, end := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer end()
	err := c.Post(ctx, secret.New(s.Hello().Webhooks[0].URL), notify.Message{Title: "x"})
	if u := undelivered(t, err); u.Fate != discord.Later || !u.Perhaps || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: %s, perhaps %v", err, u.Fate, u.Perhaps)
	}
}

func TestAWebhookTakesFiles(t *testing.T) {
	t.Parallel()
	s := here(t, 1)
	c, _, _ := client(t, s)
	must(t, c.Post(t.Context(), secret.New(s.Hello().Webhooks[0].URL), notify.Message{Title: "x"}, notify.File{Name: "findings.csv", Data: []byte("member,role\n")}))
	if d := s.Deliveries(); len(d) != 1 || d[0].Status != http.StatusOK || len(d[0].Files) != 1 {
		t.Errorf("deliveries %+v", d)
	}
}
