package bot

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"pgregory.net/rapid"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

// step is one thing that happens in a made-up story.
type step struct {
	after  time.Duration
	what   string
	member snowflake.ID
	times  int
}

// story is what happens to a guild, and how its looks go.
type story struct {
	bound, crowd int
	steps        []step
	takes        []time.Duration // how long looks take, in turn
	ends         []string        // how looks end, in turn: "well", "error", "slow", "blind"
}

var (
	happenings = []string{"change", "change", "change", "privileged", "join", "leave", "entry", "mark", "role", "burst", "lost", "session", "drift", "run"}
	endings    = []string{"well", "well", "well", "well", "error", "slow", "blind", "failed"}
)

func stories() *rapid.Generator[story] {
	return rapid.Custom(func(t *rapid.T) story {
		ms := func(most int) *rapid.Generator[time.Duration] {
			return rapid.Map(rapid.IntRange(0, most), func(n int) time.Duration { return time.Duration(n) * time.Millisecond })
		}
		steps := rapid.Custom(func(t *rapid.T) step {
			return step{
				ms(3000).Draw(t, "after"), rapid.SampledFrom(happenings).Draw(t, "what"),
				snowflake.ID(rapid.IntRange(1, 40).Draw(t, "member")), rapid.IntRange(1, 3).Draw(t, "times"),
			}
		})
		return story{
			rapid.IntRange(5, 60).Draw(t, "bound"), rapid.IntRange(5, 60).Draw(t, "crowd"), rapid.SliceOfN(steps, 1, 60).Draw(t, "steps"),
			rapid.SliceOfN(ms(20_000), 1, 10).Draw(t, "takes"), rapid.SliceOfN(rapid.SampledFrom(endings), 1, 10).Draw(t, "ends"),
		}
	})
}

// Whatever the order, doubling and loss of events: everybody who was marked is looked at after the last mark, or a look at everybody
// stands for it; never twice at once; and never more wait than may.
func TestNobodyWhoWasMarkedIsForgotten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := stories().Draw(rt, "story")
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = s.tell(t) })
		if len(wrong) > 0 {
			rt.Fatalf("%q", wrong)
		}
	})
}

// tell plays a story to its end and says what went wrong.
func (s story) tell(t *testing.T) (wrong []string) {
	w := &world{
		t: t, began: time.Now(), ended: make(chan error, 1), complete: true,
		members: map[snowflake.ID]audit.RoleSet{}, runs: map[int64]storage.Run{}, memory: map[string][]byte{},
		roles: []audit.Role{{ID: guildID}, {ID: plain}, {ID: mighty, Permissions: audit.Administrator}},
	}
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	marked := map[snowflake.ID]time.Time{}
	var sweeps []time.Time // those that Auth was believed in
	inHand := map[snowflake.ID]bool{}
	looks, over := 0, false
	seen := map[snowflake.ID]time.Time{} // last look that went well
	w.onRead = func(ctx context.Context, _ []snowflake.ID) error {
		slow := false
		w.set(func() {
			if slow = s.ends[looks%len(s.ends)] == "slow" && !over; slow {
				looks++
			}
		})
		if slow {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	}
	w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
		w.mu.Lock()
		takes, end, began := s.takes[looks%len(s.takes)], s.ends[looks%len(s.ends)], time.Now()
		looks++
		if over {
			takes, end = 0, "well"
		}
		for _, id := range ids {
			if inHand[id] {
				say("member %d is in two looks at once", id)
			}
			inHand[id] = true
		}
		w.mu.Unlock()
		time.Sleep(takes)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, id := range ids {
			delete(inHand, id)
		}
		r := verdict(audit.Healthy)
		switch end {
		case "error":
			return nil, errBroken
		case "blind":
			return verdict(audit.Blind), nil
		case "failed":
			r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: ids[0], Role: plain}, Result: audit.FailedCall}}
		}
		for _, id := range ids {
			seen[id] = began
		}
		return r, nil
	}
	w.onSweep = func(_ context.Context, run storage.Run) (*reconcile.Report, error) {
		began := time.Now()
		time.Sleep(s.takes[0])
		if run.Order.Kind == reconcile.KindCatchUp {
			w.set(func() { sweeps = append(sweeps, began) })
		}
		return verdict(audit.Healthy), nil
	}
	w.begin(func(c *Config) { c.Bound, c.Crowd = s.bound, s.crowd })
	for _, step := range s.steps {
		w.pass(step.after)
		for range step.times {
			for _, id := range w.happen(step) {
				marked[id] = time.Now()
			}
			if n := w.guild.Stats().Waiting; n > s.bound {
				say("%d wait, and %d may", n, s.bound)
			}
		}
	}
	w.set(func() { over = true })
	w.pass(30 * time.Minute)
	for id, at := range marked {
		covered := slices.ContainsFunc(sweeps, func(began time.Time) bool { return !began.Before(at) })
		if !covered && (seen[id].IsZero() || seen[id].Before(at)) {
			say("member %d, marked %v after the start, was last looked at after %v", id, at.Sub(w.began), seen[id].Sub(w.began))
		}
	}
	if st := w.guild.Stats(); st.Waiting+st.InHand+st.ForAuth+st.Ranges+st.Queued > 0 || st.AllForAuth {
		say("something is left: %+v", st)
	}
	w.end()
	return wrong
}

// happen lets a step happen and returns whom it marks.
func (w *world) happen(s step) []snowflake.ID {
	switch s.what {
	case "change":
		w.event(audit.MemberChanged, s.member)
	case "privileged":
		w.holding(s.member, 2)
		w.event(audit.MemberChanged, s.member)
	case "join":
		w.event(audit.MemberJoined, s.member)
	case "leave":
		w.event(audit.MemberLeft, s.member)
	case "entry":
		w.guild.Event(grant(snowflake.ID(time.Since(w.began)), s.member, plain))
	case "mark":
		w.guild.Mark("test", s.member)
	case "role":
		w.holding(s.member, 1)
		w.guild.Event(audit.Event{Guild: guildID, Scope: audit.RoleHolders, Role: plain, Why: audit.RoleEdited})
	case "burst":
		var ids []snowflake.ID
		for id := range snowflake.ID(30) {
			w.event(audit.MemberChanged, id+1)
			ids = append(ids, id+1)
		}
		return ids
	case "lost":
		w.whole(audit.GuildLost)
		w.pass(time.Second)
		w.whole(audit.GuildSeen)
		return nil
	case "session":
		w.session(audit.SessionNew)
		return nil
	case "drift":
		w.guild.heal.ask(healDrift)
		return nil
	case "run":
		_ = w.guild.Start(w.ordered(storage.Order{Kind: reconcile.KindLive}))
		return nil
	}
	return []snowflake.ID{s.member}
}
