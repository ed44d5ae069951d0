package bot

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func stillAtWork() error { return problem.New(problem.Refused, "the run is at work", "") }

func TestAMemberIsLookedAtAfterAQuietTime(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		at := time.Now()
		w.event(audit.MemberChanged, 1)
		w.pass(500 * time.Millisecond)
		w.event(audit.MemberChanged, 1)
		w.pass(700 * time.Millisecond)
		w.wantLooks(1, 0)
		w.pass(100 * time.Millisecond)
		if looks := w.wantLooks(1, 1); looks[0].began.Sub(at) != 1250*time.Millisecond {
			t.Errorf("looked at after %v", looks[0].began.Sub(at))
		}
	})
}

func TestEventsWithoutEndDelayALookByFiveSecondsAtMost(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		at := time.Now()
		for range 40 {
			w.event(audit.MemberChanged, 1)
			w.pass(200 * time.Millisecond)
		}
		looks := w.lookedAt(1)
		if len(looks) == 0 || looks[0].began.Sub(at) != 5*time.Second {
			t.Errorf("looks %v", looks)
		}
	})
}

func TestPrivilegedRolesHaveNoQuietTime(t *testing.T) {
	for name, give := range map[string]func(w *world){
		"held, by permission": func(w *world) {
			w.holding(1, 2)
			w.event(audit.MemberChanged, 1)
		},
		"held, named by the policy": func(w *world) {
			w.holding(1, 3)
			w.event(audit.MemberChanged, 1)
		},
		"granted, says the audit log": func(w *world) {
			w.guild.Event(audit.Event{
				Guild: guildID, Scope: audit.OneMember, Member: 1, Why: audit.EntryWritten, Grant: audit.Grant{Entry: 7, Added: []snowflake.ID{mighty}},
			})
		},
		"a second event of one who waits": func(w *world) {
			w.event(audit.MemberChanged, 1)
			w.pass(0)
			w.holding(1, 2)
			w.event(audit.MemberChanged, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.policy = storage.Policy{Version: 1, Document: "privileged_roles: [\"12\"]\n"}
				w.begin()
				w.settled()
				give(w)
				w.pass(0)
				w.wantLooks(1, 1)
			})
		})
	}
}

func TestAnOrdinaryRoleHasAQuietTime(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.holding(1, 1)
		w.event(audit.MemberChanged, 1)
		w.pass(0)
		w.wantLooks(1, 0)
	})
}

func TestWhoIsMarkedWhileBeingLookedAtIsLookedAtOnceMoreAfterwards(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onLook = func(context.Context, []snowflake.ID) (*reconcile.Report, error) {
			w.take(3 * time.Second)
			return verdict(audit.Healthy), nil
		}
		w.event(audit.MemberChanged, 1)
		w.pass(time.Second)
		w.event(audit.MemberChanged, 1)
		w.event(audit.MemberChanged, 1)
		w.pass(10 * time.Second)
		if looks := w.wantLooks(1, 2); looks[1].began.Before(looks[0].end) {
			t.Error("two looks at one member at the same time")
		}
	})
}

// A foreign change that hides in the echo of our own write must be seen: nothing is ignored by actor or time.
func TestAForeignChangeInTheEchoOfOurOwnWriteIsLookedAt(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		held := true // a role that the line takes away
		var strips int
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			w.mu.Lock()
			took := held
			held = false
			if took {
				strips++
			}
			w.mu.Unlock()
			r := verdict(audit.Healthy)
			if took {
				// Discord echoes our write; beside it, in the same instant, a moderator gives the role again.
				w.event(audit.MemberChanged, ids[0])
				w.guild.Event(audit.Event{
					Guild: guildID, Scope: audit.OneMember, Member: ids[0], Why: audit.EntryWritten,
					Grant: audit.Grant{Entry: snowflake.ID(100 + strips), Actor: botID, Removed: []snowflake.ID{plain}},
				})
				if strips == 1 {
					w.mu.Lock()
					held = true
					w.mu.Unlock()
				}
				r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: ids[0], Role: plain}, Result: audit.Done}}
			}
			return r, nil
		}
		w.event(audit.MemberChanged, 1)
		w.pass(10 * time.Second)
		w.wantLooks(1, 3) // the change, the echo with what hid in it, the echo of that
		if strips != 2 {
			t.Errorf("%d strips, want 2", strips)
		}
	})
}

func TestTheReaderNeverWaitsWhileALookHangs(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin(func(c *Config) { c.Bound = 100 })
		w.settled()
		hang := make(chan struct{})
		w.onLook = func(context.Context, []snowflake.ID) (*reconcile.Report, error) {
			<-hang
			return verdict(audit.Healthy), nil
		}
		w.onSweep = func(context.Context, storage.Run) (*reconcile.Report, error) {
			<-hang
			return verdict(audit.Healthy), nil
		}
		at := time.Now()
		for id := range snowflake.ID(10_000) {
			w.event(audit.MemberChanged, id+1)
			w.guild.Event(audit.Event{Guild: guildID, Scope: audit.RoleHolders, Role: plain, Why: audit.RoleEdited})
			w.guild.Event(audit.Event{
				Guild: guildID, Scope: audit.OneMember, Member: id + 1, Why: audit.EntryWritten, Grant: audit.Grant{Entry: id + 1, Added: []snowflake.ID{mighty}},
			})
			if id == 5_000 {
				w.pass(6 * time.Second)
				at = at.Add(6 * time.Second)
			}
		}
		// In a bubble time passes only when everybody waits: had the reader waited, it would be later now.
		if waited := time.Since(at); waited != 0 {
			t.Errorf("the reader waited %v", waited)
		}
		if n := w.guild.Stats().Waiting; n > 100 {
			t.Errorf("%d members wait, and at most 100 may", n)
		}
		close(hang)
	})
}

func TestAnOverflowBecomesOneLookAtEverybodyAndSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin(func(c *Config) { c.Bound, c.Crowd = 50, 50 })
		w.settled()
		for id := range snowflake.ID(120) {
			w.event(audit.MemberChanged, id+1)
		}
		w.pass(30 * time.Second)
		w.wantSweeps(reconcile.KindCatchUp)
		w.set(func() { w.told = slices.Compact(w.told) }) // whoever looks between the two overflows tells of each
		w.wantTold(TroubleOverflow)
		s := w.guild.Stats()
		if s.Overflowed == 0 || s.Overflows != 2 || s.CatchUps != 2 { // the start's, and this one
			t.Errorf("stats %+v", s)
		}
		if w.reads != 0 {
			t.Error("everybody was read anew, though nothing was missed")
		}
	})
}

func TestWhatCannotBeReadInTimeBecomesOneLookAtEverybody(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onRead = func(ctx context.Context, _ []snowflake.ID) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		w.event(audit.MemberChanged, 1)
		w.pass(10*time.Second + 800*time.Millisecond)
		w.wantTold(TroubleSlow)
		w.set(func() { w.onRead = nil })
		w.pass(20 * time.Second)
		w.wantSweeps(reconcile.KindCatchUp)
	})
}

func TestFailedLooksAreRepeatedWithGrowingPatienceAndToldOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onLook = func(context.Context, []snowflake.ID) (*reconcile.Report, error) { return nil, errBroken }
		w.event(audit.MemberChanged, 1)
		w.pass(20 * time.Second)
		looks := w.lookedAt(1)
		if len(looks) < 3 || len(looks) > 5 {
			t.Fatalf("%d looks in 20 s", len(looks))
		}
		for i := 2; i < len(looks); i++ {
			if looks[i].began.Sub(looks[i-1].began) <= looks[i-1].began.Sub(looks[i-2].began) {
				t.Errorf("look %d came sooner than the one before", i)
			}
		}
		w.set(func() { w.onLook = nil })
		w.pass(2 * time.Minute)
		w.wantTold(TroubleLook, TroubleLookOver)
		n := len(w.lookedAt(1))
		w.pass(10 * time.Minute)
		w.wantLooks(1, n)
	})
}

// One member whom a look always fails on must not keep all others from being looked at.
func TestABrokenMemberDoesNotKeepTheOthers(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		well := map[snowflake.ID]bool{}
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if slices.Contains(ids, 13) {
				return nil, errBroken
			}
			for _, id := range ids {
				well[id] = true
			}
			return verdict(audit.Healthy), nil
		}
		for id := range snowflake.ID(100) {
			w.event(audit.MemberChanged, id+1)
		}
		w.pass(2 * time.Minute)
		if len(well) != 99 {
			t.Errorf("%d members were looked at, want 99", len(well))
		}
	})
}

func TestActionsThatDoNotComeOffAreTriedFiveTimes(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			r := verdict(audit.Healthy)
			r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: ids[0], Role: plain}, Result: audit.NotApplied}}
			return r, nil
		}
		w.event(audit.MemberChanged, 1)
		w.pass(10 * time.Minute)
		w.wantLooks(1, mostTries)
		w.wantTold(TroubleGaveUp)
	})
}

func TestARefusalIsNotRepeatedAndTheBotsReachIsToldWhereItChanged(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			r := verdict(audit.Healthy)
			r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: ids[0], Role: plain}, Result: audit.Refused, Code: "50013"}}
			return r, nil
		}
		w.set(func() { w.reach = "the bot lacks Manage Roles" })
		w.event(audit.MemberChanged, 1)
		w.pass(10 * time.Minute)
		w.wantLooks(1, 1)
		w.wantTold(TroubleReach)
	})
}

func TestAFreshRowInAuthIsLookedAtOnceItHasSettled(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			r := verdict(audit.Healthy)
			if len(w.lookedAt(1)) == 0 {
				r.Outcomes = []audit.Outcome{{Action: audit.Action{Kind: audit.RemoveRole, Member: ids[0], Role: plain}, Result: audit.NotTried, Code: codeRowFresh}}
			}
			return r, nil
		}
		w.event(audit.MemberChanged, 1)
		w.pass(reconcile.RowFresh)
		w.wantLooks(1, 1)
		w.pass(3 * time.Second)
		w.wantLooks(1, 2)
	})
}

func TestWhoeverWasLookedAtWithoutAuthIsLookedAtAgainWhenItIsBack(t *testing.T) {
	for _, h := range []audit.Health{audit.Blind, audit.Doubtful} {
		t.Run(h.String(), func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.begin()
				w.settled()
				now := h
				w.onLook = func(context.Context, []snowflake.ID) (*reconcile.Report, error) {
					w.mu.Lock()
					defer w.mu.Unlock()
					return verdict(now), nil
				}
				for id := range snowflake.ID(300) {
					w.event(audit.MemberChanged, id+1)
				}
				w.pass(50 * time.Second)
				w.wantTold(TroubleAuthWait)
				if n := w.guild.Stats().ForAuth; n != 300 {
					t.Fatalf("%d wait for Auth, want 300", n)
				}
				w.mu.Lock()
				now = audit.Healthy
				w.mu.Unlock()
				w.forget()
				w.pass(2 * time.Minute)
				for id := range snowflake.ID(300) {
					if len(w.lookedAt(id+1)) == 0 {
						t.Fatalf("member %d was forgotten", id+1)
					}
				}
				if n := w.guild.Stats().ForAuth; n != 0 {
					t.Errorf("%d still wait", n)
				}
			})
		})
	}
}

func TestALostLeaseEndsTheGuild(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onLook = func(context.Context, []snowflake.ID) (*reconcile.Report, error) { return nil, storage.ErrFenced }
		w.event(audit.MemberChanged, 1)
		w.pass(time.Second)
		if err := <-w.ended; !errors.Is(err, storage.ErrFenced) {
			t.Errorf("ended with %v", err)
		}
		w.stop()
		w.stop = nil
	})
}

func TestAnUrgentLookDoesNotWaitForOthersThatWait(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		hang := make(chan struct{})
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			if ids[0] != 1000 {
				<-hang
			}
			return verdict(audit.Healthy), nil
		}
		for id := range snowflake.ID(500) {
			w.event(audit.MemberChanged, id+1)
		}
		w.pass(time.Minute)
		w.holding(1000, 2)
		w.event(audit.MemberChanged, 1000)
		w.pass(0)
		w.wantLooks(1000, 1)
		close(hang)
	})
}

func TestAFightIsToldOnceAnHour(t *testing.T) {
	inBubble(t, func(w *world) {
		w.begin()
		w.settled()
		w.onLook = func(_ context.Context, ids []snowflake.ID) (*reconcile.Report, error) {
			r := verdict(audit.Healthy)
			a := audit.Action{Kind: audit.RemoveRole, Member: ids[0], Role: plain}
			r.Outcomes = []audit.Outcome{{Action: a, Result: audit.NotTried, Code: codeFight}}
			return r, nil
		}
		for range 5 {
			w.event(audit.MemberChanged, 1)
			w.pass(10 * time.Second)
		}
		w.wantTold(TroubleFight)
		w.event(audit.MemberChanged, 2)
		w.pass(time.Hour)
		w.wantTold(TroubleFight, TroubleFight)
		w.event(audit.MemberChanged, 1)
		w.pass(time.Second)
		w.wantTold(TroubleFight, TroubleFight, TroubleFight)
	})
}
