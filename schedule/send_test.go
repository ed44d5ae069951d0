package schedule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/discord"
	"gatecamp/internal/secret"
	"gatecamp/notify"
	"gatecamp/storage"
)

var message = notify.Message{Title: "Run 7 succeeded", Text: "Nothing had to be done.", Tone: notify.Quiet, Fields: []notify.Field{{Name: "Members", Value: "40"}}, At: noon}

func noCanary(t testing.TB, where, text string) {
	t.Helper()
	if strings.Contains(text, canary) {
		t.Errorf("the webhook's address stands in %s:\n%s", where, text)
	}
}

func (p *process) post(t testing.TB) {
	t.Helper()
	if err := p.Post(t.Context(), Post{Guild: guildID, Webhook: SummaryWebhook, Message: message}); err != nil {
		t.Fatal(err)
	}
}

func (p *process) state(t testing.TB) WebhookState {
	t.Helper()
	s, err := p.Status(t.Context(), guildID)
	if err != nil || len(s.Webhooks) != 1 {
		t.Fatalf("status %+v, %v", s, err)
	}
	return s.Webhooks[0]
}

func TestAMessageIsPostedOnceAndAsItWas(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db)
		p.Keep(p.guild("off", t))
		p.start(t)
		p.post(t)
		if diff := cmp.Diff(message, next(t, p.sender.sent, "the message").message); diff != "" {
			t.Errorf("posted (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"post completed"}, p.drained(t)); diff != "" || len(p.sender.sent) != 0 {
			t.Errorf("jobs (-want +got):\n%s", diff)
		}
		if s := p.state(t); s.Dead || s.Code != "" || !s.Sent.Equal(noon) {
			t.Errorf("remembered %+v", s)
		}
	})
}

func TestWhatBecomesOfAPostThatFails(t *testing.T) {
	later := func(code string, wait time.Duration) error {
		return &discord.Undelivered{Fate: discord.Later, Code: code, RetryAfter: wait}
	}
	for name, c := range map[string]struct {
		answers []error
		tries   int
		job     string
		dead    bool
		code    string
	}{
		"busy, then taken":            {[]error{later("http_429", time.Millisecond), later("http_429", time.Millisecond)}, 3, "completed", false, ""},
		"broken, then taken":          {[]error{later("http_500", 0), later("http_503", 0), later("network", 0)}, 4, "completed", false, ""},
		"broken for good":             {[]error{later("http_500", 0), later("http_500", 0), later("http_500", 0), later("http_500", 0), later("http_500", 0), later("http_502", 0)}, 6, "discarded", false, "http_502"},
		"not found":                   {[]error{&discord.Undelivered{Fate: discord.Gone, Code: "discord_10015"}}, 1, "cancelled", true, "discord_10015"},
		"broken, then not found":      {[]error{later("http_500", 0), &discord.Undelivered{Fate: discord.Gone, Code: "discord_10015"}}, 2, "cancelled", true, "discord_10015"},
		"not allowed":                 {[]error{&discord.Undelivered{Fate: discord.Barred, Code: "discord_50013"}}, 1, "cancelled", false, "discord_50013"},
		"not liked":                   {[]error{&discord.Undelivered{Fate: discord.Rejected, Code: "discord_50035"}}, 1, "cancelled", false, "discord_50035"},
		"busy for longer than worth":  {[]error{later("http_429", 24*time.Hour)}, 1, "cancelled", false, "http_429"},
		"an error that nobody knows":  {[]error{errors.New("dial " + address.Reveal())}, 2, "completed", false, ""},
		"an error that wraps a known": {[]error{fmt.Errorf("to %s: %w", address.Reveal(), context.DeadlineExceeded)}, 2, "completed", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, sqliteBase(t))
			p.sender.answers = c.answers
			p.Keep(p.guild("off", t))
			p.start(t)
			p.post(t)
			if diff := cmp.Diff([]string{"post " + c.job}, p.drained(t)); diff != "" {
				t.Errorf("job (-want +got):\n%s", diff)
			}
			s := p.state(t)
			if len(p.sender.sent) != c.tries || s.Dead != c.dead || s.Code != c.code || (c.code != "") != strings.Contains(p.log.String(), "code="+c.code) && c.code != "" {
				t.Errorf("%d tries, remembered %+v, log:\n%s", len(p.sender.sent), s, p.log)
			}
			_, text := p.jobs(t)
			noCanary(t, "the queue's table", text)
			noCanary(t, "the log", p.log.String())
		})
	}
}

func TestADeadWebhookIsNotTriedAgainUntilItHasAnotherAddress(t *testing.T) {
	db := sqliteBase(t)
	p := newProcess(t, db)
	p.sender.answers = []error{&discord.Undelivered{Fate: discord.Gone, Code: "discord_10015"}}
	g := p.guild("off", t)
	p.Keep(g)
	p.start(t)
	p.post(t)
	next(t, p.sender.sent, "the first try")
	p.drained(t)
	for range 3 {
		p.post(t)
	}
	if states := p.drained(t); len(states) != 1 || len(p.sender.sent) != 0 {
		t.Errorf("more was queued or sent for a dead webhook: %v, %d", states, len(p.sender.sent))
	}
	if !strings.Contains(p.log.String(), "level=ERROR") || !strings.Contains(p.log.String(), "the webhook is gone") {
		t.Errorf("the log says nothing of it:\n%s", p.log)
	}
	after := newProcess(t, db)
	after.Keep(g)
	if s := after.state(t); !s.Dead || s.Code != "discord_10015" || !s.Failed.Equal(noon) {
		t.Errorf("after a restart: %+v", s)
	}
	g.Webhooks = map[string]secret.String{SummaryWebhook: secret.New("https://discord.com/api/webhooks/900000000000000098/another")}
	p.Keep(g)
	if s := p.state(t); s.Dead {
		t.Errorf("another address is taken for dead: %+v", s)
	}
	p.post(t)
	next(t, p.sender.sent, "a message to the other address")
	p.drained(t)
	if s := p.state(t); s.Dead || !s.Sent.Equal(noon) {
		t.Errorf("afterwards: %+v", s)
	}
}

// Whatever goes wrong, nothing that is stored or logged holds the address: not arguments, errors, panics, memories.
func TestNoAddressIsEverStoredOrLogged(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db)
		p.Keep(p.guild("off", t))
		p.sender.panics = address.Reveal()
		p.sender.answers = []error{nil, errors.New(address.Reveal()), &discord.Undelivered{Fate: discord.Gone, Code: "discord_10015"}}
		p.start(t)
		p.post(t)
		states := p.drained(t)
		if diff := cmp.Diff([]string{"post completed"}, states); diff != "" && states[0] != "post cancelled" {
			t.Errorf("jobs: %v", states)
		}
		p.sender.mu.Lock()
		p.sender.answers = []error{errors.New(address.Reveal()), &discord.Undelivered{Fate: discord.Gone, Code: "discord_10015"}}
		p.sender.mu.Unlock()
		p.post(t)
		p.drained(t)
		_, text := p.jobs(t)
		noCanary(t, "the queue's table", text)
		noCanary(t, "the log", p.log.String())
		if !strings.Contains(text, `"panic"`) || !strings.Contains(text, `"failed"`) {
			t.Errorf("the codes are not in the table:\n%s", text)
		}
		raw, _, err := p.Recall(t.Context(), guildID, memoryWebhook+SummaryWebhook)
		if err != nil {
			t.Fatal(err)
		}
		noCanary(t, "the memory", string(raw))
		noCanary(t, "a printed configuration", fmt.Sprintf("%+v %#v", p.guild("off", t), p.guild("off", t)))
	})
}

func TestWhereNoWebhookIsSetNothingIsQueued(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	g := p.guild("off", t)
	g.Webhooks = map[string]secret.String{SummaryWebhook: {}}
	p.Keep(g)
	p.post(t)
	if states, _ := p.jobs(t); len(states) != 0 {
		t.Errorf("queued: %v", states)
	}
}

func TestTheListOfPeopleGoesOnlyWhereTheGuildWantsItAndIsNeverStored(t *testing.T) {
	p := newProcess(t, sqliteBase(t), func(c *Config) {
		c.Name = func(_, member snowflake.ID) string { return "=HYPERLINK(" + member.String() + ")" }
	})
	_, err := p.ApplyLook(t.Context(), storage.Look{Guild: guildID, Run: 7, At: noon, Extent: storage.Complete, Found: []storage.Found{
		{SubjectKind: storage.SubjectMember, Subject: person, Category: "unknown_guest", FindingFacts: storage.FindingFacts{Wanted: "strip", Held: []snowflake.ID{3, 4}, GrantedBy: 9}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	g := p.guild("off", t)
	p.start(t)
	for _, c := range []struct {
		details bool
		run     int64
		files   int
	}{{false, 7, 0}, {true, 0, 0}, {true, 7, 1}} {
		g.Details = c.details
		p.Keep(g)
		if err := p.Tell(t.Context(), Telling{Guild: guildID, Run: c.run, Reason: ReasonRun, Message: message}); err != nil {
			t.Fatal(err)
		}
		d := next(t, p.sender.sent, "the summary")
		if len(d.files) != c.files {
			t.Fatalf("%+v: %d files", c, len(d.files))
		}
		if c.files > 0 {
			got := string(d.files[0].Data)
			for _, want := range []string{person.String(), "'=HYPERLINK", "unknown_guest", "strip", "3 4"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s lacks %q:\n%s", d.files[0].Name, want, got)
				}
			}
		}
	}
	if _, text := p.jobs(t); strings.Contains(text, person.String()) {
		t.Errorf("a job holds who was found:\n%s", text)
	}
}

func TestSubscribersHearOncePerDayAndReason(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		entitled := true
		p := newProcess(t, db, func(c *Config) {
			c.Entitled = func(_ context.Context, guild, who snowflake.ID) (bool, error) {
				return entitled && guild == guildID && who == person, nil
			}
		})
		g := p.guild("off", t)
		g.Webhooks = nil
		p.Keep(g)
		for _, id := range []snowflake.ID{person, 5} {
			if err := p.Subscribe(t.Context(), guildID, id, noon); err != nil {
				t.Fatal(err)
			}
		}
		p.start(t)
		tell := func(tone notify.Tone) {
			t.Helper()
			m := message
			m.Tone = tone
			if err := p.Tell(t.Context(), Telling{Guild: guildID, Reason: ReasonRun, Message: m}); err != nil {
				t.Fatal(err)
			}
			p.drained(t)
		}
		for _, c := range []struct {
			tone  notify.Tone
			after time.Duration
			heard int
		}{{notify.Quiet, 0, 1}, {notify.Quiet, time.Hour, 0}, {notify.Trouble, time.Hour, 1}, {notify.Quiet, 24 * time.Hour, 1}} {
			p.clock.set(noon.Add(c.after))
			tell(c.tone)
			if len(p.sender.sent) != c.heard {
				t.Errorf("%s after %v: %d messages, want %d", c.tone, c.after, len(p.sender.sent), c.heard)
			}
			for range len(p.sender.sent) {
				if d := <-p.sender.sent; d.person != person {
					t.Errorf("%d heard, who may not", d.person)
				}
			}
		}
		entitled = false
		p.clock.set(noon.Add(72 * time.Hour))
		tell(notify.Quiet)
		if len(p.sender.sent) != 0 {
			t.Error("someone heard after the right was taken")
		}
	})
}

func TestAPersonWhomNoMessageReachesIsGivenUp(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	g := p.guild("off", t)
	g.Webhooks = nil
	p.Keep(g)
	if err := p.Subscribe(t.Context(), guildID, person, noon); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	for day := range giveUpAfter + 3 {
		p.clock.set(noon.Add(time.Duration(day) * 24 * time.Hour))
		p.sender.mu.Lock()
		p.sender.answers = []error{&discord.Undelivered{Fate: discord.Barred, Code: "discord_50007"}}
		p.sender.mu.Unlock()
		if err := p.Tell(t.Context(), Telling{Guild: guildID, Reason: ReasonRun, Message: message}); err != nil {
			t.Fatal(err)
		}
		p.drained(t)
	}
	s, err := p.Status(t.Context(), guildID)
	if err != nil || len(p.sender.sent) != giveUpAfter || s.Subscribers != 1 || s.GivenUp != 1 {
		t.Errorf("%d tries, status %+v, %v", len(p.sender.sent), s, err)
	}
	people, err := p.Store.Subscribers(t.Context(), guildID)
	if err != nil || len(people) != 1 || people[0].Failures != giveUpAfter || people[0].LastError != "discord_50007" {
		t.Errorf("subscriber %+v, %v", people, err)
	}
}

func TestAMemberIsWarnedOnceForAGrace(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		p := newProcess(t, db, func(c *Config) {
			c.Entitled = func(context.Context, snowflake.ID, snowflake.ID) (bool, error) { return false, nil }
		})
		g := p.guild("off", t)
		g.Webhooks = nil
		p.Keep(g)
		p.start(t)
		until := noon.Add(72 * time.Hour)
		for _, c := range []struct {
			why   string
			at    time.Time
			who   snowflake.ID
			until time.Time
			want  bool
		}{
			{"the first, to somebody who may see nothing and asked for nothing", noon, person, until, true},
			{"the same at once", noon, person, until, false},
			{"the same two days later", noon.Add(48 * time.Hour), person, until, false},
			{"the same with a little less grace", noon, person, until.Add(-time.Hour), false},
			{"somebody else", noon, 5, until, true},
			{"another grace", noon.Add(96 * time.Hour), person, until.Add(96 * time.Hour), true},
		} {
			p.clock.set(c.at)
			queued, err := p.Warn(t.Context(), guildID, c.who, c.until, message)
			if err != nil || queued != c.want {
				t.Errorf("%s: queued %v, %v", c.why, queued, err)
			}
			p.drained(t)
			if queued && (len(p.sender.sent) != 1 || (<-p.sender.sent).person != c.who) {
				t.Errorf("%s: it did not arrive", c.why)
			}
		}
	})
}

func TestAWarningThatDoesNotArriveIsNotTriedAgainAndCountsForNothing(t *testing.T) {
	p := newProcess(t, sqliteBase(t))
	p.sender.answers = []error{&discord.Undelivered{Fate: discord.Barred, Code: "discord_50007"}}
	p.Keep(p.guild("off", t))
	if err := p.Subscribe(t.Context(), guildID, person, noon); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	if _, err := p.Warn(t.Context(), guildID, person, noon.Add(72*time.Hour), message); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"message cancelled"}, p.drained(t)); diff != "" || len(p.sender.sent) != 1 {
		t.Errorf("%d tries, jobs (-want +got):\n%s", len(p.sender.sent), diff)
	}
	people, err := p.Store.Subscribers(t.Context(), guildID)
	if err != nil || len(people) != 1 || people[0].Failures != 0 {
		t.Errorf("subscriber %+v, %v", people, err)
	}
	if !strings.Contains(p.log.String(), "discord_50007") || strings.Contains(p.log.String(), person.String()) {
		t.Errorf("the log:\n%s", p.log)
	}
}

func TestAuthsBellRingsOnceADayForEachReasonAndNeverForNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		rung := make(chan notify.Message, 10)
		failing := 1
		p := newProcess(t, db, func(c *Config) {
			c.Notice = func(_ context.Context, m notify.Message) error {
				if failing > 0 {
					failing--
					return errors.New("mysql://bell:" + canary + "@db refused")
				}
				rung <- m
				return nil
			}
		})
		p.Keep(p.guild("off", t))
		p.start(t)
		tell := func(tone notify.Tone, reason string) {
			t.Helper()
			m := message
			m.Tone = tone
			if err := p.Tell(t.Context(), Telling{Guild: guildID, Reason: reason, Message: m}); err != nil {
				t.Fatal(err)
			}
		}
		tell(notify.Quiet, ReasonRun)
		tell(notify.Acted, ReasonRun)
		tell(notify.Trouble, ReasonRun)
		if m := next(t, rung, "the bell"); m.Tone != notify.Trouble {
			t.Errorf("rung for %+v", m)
		}
		tell(notify.Trouble, ReasonRun)
		tell(notify.Held, ReasonRun)
		if m := next(t, rung, "the bell for another reason"); m.Tone != notify.Held {
			t.Errorf("rung again for %+v", m)
		}
		p.clock.set(noon.Add(25 * time.Hour))
		tell(notify.Trouble, ReasonRun)
		next(t, rung, "the bell on the next day")
		p.drained(t)
		if len(rung) != 0 {
			t.Errorf("rung %d times more", len(rung))
		}
		noCanary(t, "the log", p.log.String())
	})
}

func TestAWebhookThatIsGoneIsToldOnceWherePeopleLook(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db base) {
		rung := make(chan notify.Message, 10)
		p := newProcess(t, db, func(c *Config) {
			c.Notice = func(_ context.Context, m notify.Message) error { rung <- m; return nil }
		})
		p.Keep(p.guild("off", t))
		p.start(t)
		p.sender.answers = []error{&discord.Undelivered{Fate: discord.Gone, Code: "discord_10015"}}
		p.post(t)
		for _, told := range []notify.Message{next(t, p.alarms, "the admins' channel"), next(t, rung, "Auth's bell")} {
			if told.Title != "The webhook for summaries is gone" {
				t.Errorf("told %+v", told)
			}
			noCanary(t, "what is told", fmt.Sprint(told))
		}
		p.post(t)
		p.drained(t)
		if len(rung)+len(p.alarms) != 0 {
			t.Error("told again")
		}
	})
}
