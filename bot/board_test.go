package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/notify"
	"gatecamp/storage"
)

const adminChannel snowflake.ID = 77

// wall is an admin channel: its messages, in order, as they stand.
type wall struct {
	mu    sync.Mutex
	all   []*notify.Message // by id, from 1; nil: deleted
	calls []string
	fails error
	hangs bool
	at    []time.Time
}

func (w *wall) Send(ctx context.Context, channel snowflake.ID, m notify.Message, _ ...notify.File) (snowflake.ID, error) {
	if err := w.call(ctx, "send", channel); err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, &m)
	return snowflake.ID(len(w.all)), nil
}

func (w *wall) Edit(ctx context.Context, channel, message snowflake.ID, m notify.Message, _ ...notify.File) error {
	if err := w.call(ctx, "edit", channel); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[message-1] == nil {
		return &discord.Undelivered{Fate: discord.Gone, Code: "discord_10008"}
	}
	w.all[message-1] = &m
	return nil
}

func (w *wall) call(ctx context.Context, what string, channel snowflake.ID) error {
	w.mu.Lock()
	w.calls, w.at = append(w.calls, fmt.Sprint(what, " ", channel)), append(w.at, time.Now())
	fails, hangs := w.fails, w.hangs
	w.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return fails
}

// shows is a message with everything that it says.
func (w *wall) shows(id int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id > len(w.all) || w.all[id-1] == nil {
		return ""
	}
	m := w.all[id-1]
	text := []string{m.Tone.String(), m.Title, m.Text}
	for _, f := range m.Fields {
		text = append(text, f.Name+": "+f.Value)
	}
	return strings.Join(append(text, m.Footer), "\n")
}

func (w *wall) total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

func (w *wall) count(what string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if strings.HasPrefix(c, what) {
			n++
		}
	}
	return n
}

// shelf remembers.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (s *shelf) Remember(_ context.Context, _ snowflake.ID, name string, value []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[name] = value
	return nil
}

func (s *shelf) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept)
}

func (s *shelf) Recall(_ context.Context, _ snowflake.ID, name string) ([]byte, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, known := s.kept[name]
	if !known {
		return nil, time.Time{}, storage.ErrNotFound
	}
	return value, time.Time{}, nil
}

func (s *shelf) Forget(_ context.Context, _ snowflake.ID, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, name)
	return nil
}

// given is what Discord tells about who gave roles.
type given []storage.RoleGrant

func (g given) RoleGrants(context.Context, snowflake.ID, []snowflake.ID, time.Time) ([]storage.RoleGrant, error) {
	return g, nil
}

func posts(t *testing.T, w *wall, s *shelf, change ...func(*BoardConfig)) *Board {
	t.Helper()
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg := BoardConfig{
		Guild: 1, Channel: adminChannel, Post: w, Memory: s, Printer: func() *i18n.Printer { return texts.For("en-US") },
		Summary: func(r *reconcile.Report) notify.Run {
			return notify.Run{ID: r.Run.ID, State: r.Run.State, Complete: true, Members: 3, Opened: r.Counts.Findings.Opened, Auth: audit.Verdict{Health: audit.Healthy}, Summary: r.Counts.Summary}
		},
		Names: func(_ context.Context, ids []snowflake.ID) (map[snowflake.ID]string, error) {
			return map[snowflake.ID]string{1002: "Spy`1"}, nil
		},
		Givers: given{{Member: 1002, Role: 11, Actor: 2000, Added: true}, {Member: 1002, Role: 11, Actor: 9, Added: true}},
	}
	for _, c := range change {
		c(&cfg)
	}
	b := NewBoard(cfg)
	ctx, end := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		end()
		done.Wait()
	})
	return b
}

// seen is a report about members with the roles Fleet (10) and Director (11, privileged); 1001 is linked.
func seenBy(run storage.Run, decisions ...audit.Decision) *reconcile.Report {
	d := &audit.Directory{Accounts: []audit.Account{{User: 5, Username: "auth_user", Main: audit.Main{Name: "Main Pilot"}, Discord: 1001}}}
	d.Index()
	scene := audit.NewScene(audit.Subjects{Auth: d, Guild: audit.Guild{ID: 1, Roles: []audit.Role{{ID: 10, Name: "Fleet"}, {ID: 11, Name: "Dir`ector"}}}})
	r := &reconcile.Report{Run: run, Look: &reconcile.Look{Scene: scene}, Decisions: decisions}
	r.Counts.Findings.Opened = len(decisions)
	return r
}

func stranger(member snowflake.ID, alarming bool) audit.Decision {
	d := audit.Decision{Class: audit.Class{Category: audit.UnknownGuest}, Member: member, Held: audit.RoleSet{}.With(0)}
	if alarming {
		d.Held, d.Alarming = d.Held.With(1), audit.RoleSet{}.With(1)
	}
	return d
}

func running(id int64) storage.Run {
	return storage.Run{ID: id, State: storage.Running, Order: storage.Order{Kind: reconcile.KindLive, Mode: "strip", Actor: "discord:41"}, Started: time.Now()}
}

func TestARunHasOneMessageThatFollowsItToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := &wall{}, &shelf{kept: map[string][]byte{}}
		b := posts(t, w, s)
		run := running(7)
		b.RunBegan(run)
		synctest.Wait()
		if got := w.shows(1); !strings.Contains(got, "Run 7 is at work") || !strings.Contains(got, "Ordered by: <@41> `41`") || s.size() != 1 {
			t.Errorf("at the beginning:\n%s\nremembered: %d", got, s.size())
		}
		for n := range 100 {
			b.RunWent(run, n+1, 200)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if got := w.shows(1); !strings.Contains(got, "of 200 changes") || !strings.Contains(got, "about 1") {
			t.Errorf("after ten seconds:\n%s", got)
		}
		if n := w.count("edit"); n > 4 {
			t.Errorf("%d edits in ten seconds, want one in 3 s", n)
		}
		run.State = storage.Succeeded
		r := seenBy(run, stranger(1002, true))
		r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: 1001, Role: 10}, Result: audit.Done}}
		b.RunEnded(r, nil)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		got := w.shows(1)
		for _, want := range []string{"Run 7 succeeded", "<@1001> `Main Pilot` (`auth_user`) `1001`: remove `Fleet`: done", "privileged roles: <@1002> `1002`: `Dir'ector`"} {
			if !strings.Contains(got, want) {
				t.Errorf("at the end %q is missing:\n%s", want, got)
			}
		}
		if w.total() != 1 || s.size() != 0 {
			t.Errorf("%d messages, remembered %d", w.total(), s.size())
		}
	})
}

func TestARestartGoesOnWithTheMessageOfTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := &wall{}, &shelf{kept: map[string][]byte{}}
		first := posts(t, w, s)
		run := running(7)
		first.RunBegan(run)
		synctest.Wait()
		interrupted := run
		interrupted.State = storage.Interrupted
		first.RunEnded(seenBy(interrupted), nil)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := w.shows(1); !strings.Contains(got, "was interrupted") || s.size() != 1 {
			t.Errorf("after the interruption:\n%s\nremembered %d", got, s.size())
		}
		second := posts(t, w, s)
		second.RunBegan(run)
		synctest.Wait()
		if got := w.shows(1); !strings.Contains(got, "is at work") || w.total() != 1 {
			t.Errorf("after the restart, with %d messages:\n%s", w.total(), got)
		}
		w.mu.Lock()
		w.all[0] = nil // a moderator deletes it
		w.mu.Unlock()
		run.State = storage.Succeeded
		second.RunEnded(seenBy(run), nil)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := w.shows(2); !strings.Contains(got, "Run 7 succeeded") {
			t.Errorf("there is no new message in place of a deleted one: %s", got)
		}
	})
}

func TestAPrivilegedRoleIsALineWithinTwoSecondsAndTheRestIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		b := posts(t, w, &shelf{kept: map[string][]byte{}})
		start := time.Now()
		b.Looked(seenBy(storage.Run{}, stranger(1001, false)))
		b.Looked(seenBy(storage.Run{}, stranger(1002, true)))
		b.Looked(seenBy(storage.Run{}, stranger(1002, true))) // the same again
		synctest.Wait()
		if w.total() != 1 || time.Since(start) > 2*time.Second {
			t.Fatalf("%d messages after %v", w.total(), time.Since(start))
		}
		got := w.shows(1)
		for _, want := range []string{"trouble\nALERT: a privileged role", "<@1002> `Spy'1` `1002`: holds the privileged `Dir'ector`", "Given by <@2000> `2000`"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing:\n%s", want, got)
			}
		}
		if strings.Count(got, "<@1002>") != 1 {
			t.Errorf("it is told twice:\n%s", got)
		}
		b.Looked(seenBy(storage.Run{}, stranger(1001, false), stranger(1003, false)))
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if w.total() != 1 {
			t.Errorf("%d messages before the ten minutes were over", w.total())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.shows(2); !strings.Contains(got, "2 findings of the last minutes") || !strings.Contains(got, "<@1001> `Main Pilot` (`auth_user`) `1001`: a stranger") {
			t.Errorf("gathered:\n%s", got)
		}
		time.Sleep(time.Hour)
		if w.total() != 2 {
			t.Errorf("%d messages, and nothing has happened", w.total())
		}
	})
}

func TestAPrivilegedRoleThatIsGivenAgainIsToldAgain(t *testing.T) {
	gone := func(closed bool) *reconcile.Report {
		r := seenBy(storage.Run{})
		r.Seen = []snowflake.ID{1002}
		if !closed { // Auth cannot be believed: nothing is known to have ended
			r.Look.Verdict.Health = audit.Blind
		}
		return r
	}
	taken := func() *reconcile.Report {
		r := seenBy(storage.Run{}, stranger(1002, true))
		r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: 1002, Role: 11}, Result: audit.Done}}
		return r
	}
	for name, c := range map[string]struct {
		first, between *reconcile.Report
		messages       int
	}{
		"a person took it away":         {seenBy(storage.Run{}, stranger(1002, true)), gone(true), 2},
		"we took it away":               {taken(), gone(true), 2},
		"we did, and it was back first": {taken(), nil, 2},
		"nothing is known of Auth":      {seenBy(storage.Run{}, stranger(1002, true)), gone(false), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wall{}
				b := posts(t, w, &shelf{kept: map[string][]byte{}})
				b.Looked(c.first)
				time.Sleep(2 * time.Second)
				if c.between != nil {
					b.Looked(c.between)
				}
				b.Looked(seenBy(storage.Run{}, stranger(1002, true)))
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if w.total() != c.messages {
					t.Errorf("%d messages, want %d", w.total(), c.messages)
				}
			})
		})
	}
}

func TestALineNamesWhoGaveItsOwnRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		b := posts(t, w, &shelf{kept: map[string][]byte{}}, func(cfg *BoardConfig) {
			cfg.Givers = given{ // newest first
				{Member: 1001, Role: 10, Actor: 7003, Added: true, At: time.Now().Add(5 * time.Minute)},
				{Member: 1001, Role: 11, Actor: 7002, Added: true, At: time.Now().Add(time.Minute)},
				{Member: 1001, Role: 10, Actor: 7001, Added: true, At: time.Now()},
			}
		})
		holds := func(role int) audit.Decision {
			d := stranger(1001, false)
			d.Held = audit.RoleSet{}.With(role)
			return d
		}
		b.Looked(seenBy(storage.Run{}, holds(0)))
		time.Sleep(time.Minute)
		r := seenBy(storage.Run{}, holds(1))
		r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: 1001, Role: 11}, Result: audit.Done}}
		b.Looked(r)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		lines := strings.Split(w.shows(1), "\n")
		for role, actor := range map[string]string{"holds `Fleet`": "<@7001>", "holds `Dir'ector`": "<@7002>", "remove `Dir'ector`": ""} {
			i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, role) })
			if i < 0 || actor != "" && !strings.Contains(lines[i], "Given by "+actor) || actor == "" && strings.Contains(lines[i], "Given by") {
				t.Errorf("the line with %q does not name %q:\n%s", role, actor, w.shows(1))
			}
		}
	})
}

func TestAnAlertSaysWhatCameOfIt(t *testing.T) {
	action := audit.Action{Kind: audit.RemoveRole, Member: 1002, Role: 11}
	for name, c := range map[string]struct {
		change func(*reconcile.Report)
		want   string
	}{
		"it was taken": {func(r *reconcile.Report) { r.Outcomes = []audit.Outcome{{Action: action, Result: audit.Done}} }, "remove `Dir'ector`: done."},
		"a gate holds it": {func(r *reconcile.Report) {
			r.Plan.Actions = []audit.Planned{{Action: action, Held: []audit.By{{Gate: audit.Pause}}}}
		}, "Nothing was taken: the pause"},
		"the policy only reports": {func(*reconcile.Report) {}, "Nothing was taken; `/explain` says why."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wall{}
				b := posts(t, w, &shelf{kept: map[string][]byte{}})
				r := seenBy(storage.Run{}, stranger(1002, true))
				c.change(r)
				b.Looked(r)
				synctest.Wait()
				if got := w.shows(1); !strings.Contains(got, c.want) {
					t.Errorf("%q is missing:\n%s", c.want, got)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if w.total() != 1 {
					t.Errorf("it is told a second time: %s", w.shows(2))
				}
			})
		})
	}
}

func TestATroubleIsToldOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		b := posts(t, w, &shelf{kept: map[string][]byte{}})
		for range 30 {
			b.Trouble(1, TroubleOverflow, "1,200 members")
			time.Sleep(time.Minute)
		}
		b.Trouble(1, TroubleFight, "1001 10")
		b.Trouble(1, TroubleFight, "1002 10")
		time.Sleep(time.Second)
		synctest.Wait()
		if w.total() != 2 || !strings.Contains(w.shows(1), "More happened") || strings.Count(w.shows(2), "gives back") != 2 {
			t.Errorf("%d messages:\n%s\n%s", w.total(), w.shows(1), w.shows(2))
		}
		time.Sleep(31 * time.Minute)
		b.Trouble(1, TroubleOverflow, "")
		synctest.Wait()
		if got := w.shows(3); !strings.Contains(got, "(and 29 times more since it was told last)") {
			t.Errorf("after an hour:\n%s", got)
		}
	})
}

func TestEveryTroubleHasAText(t *testing.T) {
	b := NewBoard(BoardConfig{Printer: func() *i18n.Printer {
		texts, err := i18n.Load()
		if err != nil {
			t.Fatal(err)
		}
		return texts.For("ru")
	}})
	for code, key := range troubleKeys {
		if text := b.trouble(code, "", 0).text; text == "" || strings.Contains(text, string(key)) {
			t.Errorf("%s: %q", code, text)
		}
	}
}

func TestACatchUpThatFoundNothingIsNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		b := posts(t, w, &shelf{kept: map[string][]byte{}})
		run := running(8)
		run.Order.Kind = reconcile.KindCatchUp
		b.RunBegan(run)
		synctest.Wait()
		run.State = storage.Succeeded
		b.RunEnded(seenBy(run), nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.count(""); n > 0 {
			t.Errorf("%d calls", n)
		}
		run.ID = 9
		b.RunBegan(run)
		b.RunEnded(seenBy(run, stranger(1003, false)), nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.shows(1); !strings.Contains(got, "Run 9 succeeded") || w.total() != 1 {
			t.Errorf("one that found something, %d messages:\n%s", w.total(), got)
		}
	})
}

func TestAChannelThatTakesNothingHoldsNobodyUp(t *testing.T) {
	for name, fails := range map[string]error{
		"it hangs":         nil,
		"it is gone":       &discord.Undelivered{Fate: discord.Gone},
		"Discord is busy":  &discord.Undelivered{Fate: discord.Later, RetryAfter: 40 * time.Second},
		"an unknown error": errors.New("canary"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wall{fails: fails, hangs: fails == nil}
				b := posts(t, w, &shelf{kept: map[string][]byte{}})
				start := time.Now()
				for id := range int64(100) {
					b.RunBegan(running(id))
					b.RunWent(running(id), 1, 2)
				}
				for id := range snowflake.ID(1000) {
					b.Looked(seenBy(storage.Run{}, stranger(5000+id, true), stranger(9000+id, false)))
					b.Trouble(1, TroubleFight, id.String())
				}
				if time.Since(start) > 0 {
					t.Errorf("whoever tells it waited %v", time.Since(start))
				}
				time.Sleep(time.Minute)
				b.mu.Lock()
				if len(b.runs) > mostRuns || len(b.alerts) > mostLines+linesAtOnce || len(b.troubles) > mostLines+linesAtOnce || len(b.gathered) > mostLines {
					t.Errorf("it keeps %d runs, %d, %d and %d lines", len(b.runs), len(b.alerts), len(b.troubles), len(b.gathered))
				}
				b.mu.Unlock()
				if b.Dropped() == 0 {
					t.Error("nothing counts as dropped")
				}
				w.mu.Lock()
				if n := len(w.calls); n > 8 {
					t.Errorf("it was tried %d times in a minute", n)
				}
				w.fails, w.hangs = nil, false
				w.mu.Unlock()
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				var texts strings.Builder
				for id := range w.total() {
					texts.WriteString(w.shows(id + 1))
				}
				if all := texts.String(); !strings.Contains(all, "<@5000>") || !strings.Contains(all, "not shown here") || !strings.Contains(all, "Run 0 is at work") {
					t.Errorf("what was kept is not posted once it can be: %d messages", w.total())
				}
			})
		})
	}
}

// The real client, over REST alone: its gateway is another matter, and not race-clean.
func TestABoardPostsInARealChannel(t *testing.T) {
	server, wait, err := discordtest.Start(t.Context(), discordtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Close()
		_ = wait()
	})
	guild := server.GuildIDs()[0]
	channel, err := server.AddChannel(guild, "admins")
	if err != nil {
		t.Fatal(err)
	}
	client, err := discord.Open(t.Context(), discord.Config{
		Token: secret.New(server.Bot(discordtest.BotGatecamp).Token), APIURL: server.APIURL(), Shards: []int{}, ShardCount: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(context.WithoutCancel(t.Context())) })
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	b := NewBoard(BoardConfig{
		Guild: guild, Channel: channel, Post: client, Memory: &shelf{kept: map[string][]byte{}}, Printer: func() *i18n.Printer { return texts.For("ru") },
		Summary: func(r *reconcile.Report) notify.Run { return notify.Run{ID: r.Run.ID, State: r.Run.State} },
	})
	run := running(7)
	b.RunBegan(run)
	ctx, end := context.WithCancel(t.Context())
	end() // it posts what waits, and ends
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	run.State = storage.Succeeded
	b.RunEnded(seenBy(run, stranger(1002, true)), nil)
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := server.Messages(channel)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || !strings.Contains(string(all[0]), "Проверка 7 завершена") || !strings.Contains(string(all[0]), "1002") {
		t.Errorf("messages: %s", all)
	}
}

func TestARunWithoutAReportIsTroubleInWordsForPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{}
		b := posts(t, w, &shelf{kept: map[string][]byte{}})
		b.RunEnded(nil, problem.New(problem.Failed, "the disk is full", "make room"))
		time.Sleep(time.Hour)
		b.RunEnded(nil, errors.New("canary"))
		synctest.Wait()
		if !strings.Contains(w.shows(1), "the disk is full; make room") || strings.Contains(w.shows(2), "canary") || w.shows(2) == "" {
			t.Errorf("messages:\n%s\n%s", w.shows(1), w.shows(2))
		}
		if w.count("send 77") != 2 {
			t.Error("it was posted in another channel")
		}
	})
}
