package commands

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecamp/audit"
	"gatecamp/discord/discordtest"
	"gatecamp/storage"
)

func TestWhoLacksTheRightIsToldWhichAndWhoCanGiveItAndIsRecordedOnce(t *testing.T) {
	r := newRig(t)
	for range 3 {
		s := r.run(dara, "audit run")
		if !s.private() {
			t.Error("the refusal is shown to everybody")
		}
		want(t, s.text(), "aa_discord_audit.run_audit", "nothing was done", "can give you")
	}
	all, err := r.db.Invocations(t.Context(), guildID, storage.InvocationFilter{Refused: true})
	r.must(err)
	if len(all) != 1 || all[0].Count != 3 || all[0].Refusal != "permission_denied" || all[0].Command != "audit run" || all[0].User != "discord:1001" {
		t.Errorf("recorded: %+v", all)
	}
	if len(r.runner.started) != 0 {
		t.Error("a run was started")
	}
}

func TestAnOrderedRunIsStartedAndAnsweredPrivatelyWithItsNumber(t *testing.T) {
	r := newRig(t)
	r.grant(dara, audit.RightRun)
	s := r.run(dara, "audit run")
	if s.Type != 5 || !s.private() {
		t.Errorf("answer of type %d, flags %d: want deferred and private", s.Type, s.Flags)
	}
	want(t, s.text(), "Run 1 is ordered", "<#7>")
	if len(r.runner.started) != 1 {
		t.Fatalf("%d runs were started", len(r.runner.started))
	}
	if o := r.runner.started[0].Order; o.Actor != "discord:1001" || o.Origin != "command" || !o.DryRun {
		t.Errorf("ordered %+v", o)
	}
	all, err := r.db.Invocations(t.Context(), guildID, storage.InvocationFilter{})
	r.must(err)
	if len(all) != 1 || !all[0].Accepted || all[0].Run != 1 || !all[0].Counted {
		t.Errorf("recorded: %+v", all)
	}
}

func TestRunsAreRefusedPolitelyWhenTheAllowanceIsUsedUp(t *testing.T) {
	r := newRig(t, func(c *Config) { c.RunsPerUser = 1 })
	r.grant(dara, audit.RightRun)
	r.run(dara, "audit run")
	want(t, r.run(dara, "audit run").text(), "1 of 1", "The next is free <t:")
	if len(r.runner.started) != 1 {
		t.Errorf("%d runs were started", len(r.runner.started))
	}
}

func TestTheGuardIsAskedBeforeRightsAndDatabase(t *testing.T) {
	var asked []Attempt
	r := newRig(t, func(c *Config) {
		c.Guard = func(_ context.Context, a Attempt) *Denial {
			asked = append(asked, a)
			return &Denial{Reason: "not you"}
		}
	})
	r.grant(dara, audit.RightRun)
	s := r.run(dara, "audit run")
	want(t, s.text(), "not you")
	if s.Type != 4 || r.rights.asked != 0 {
		t.Errorf("answer of type %d, rights asked %d times: want an answer at once and no question", s.Type, r.rights.asked)
	}
	if got := r.typing(dara, "audit apply", "run", "run", "1").Choices; len(got) != 0 {
		t.Errorf("choices %v", got)
	}
	if len(asked) != 2 || asked[0].Command != "audit run" || asked[0].Kind != Command || asked[1].Kind != Typing || asked[0].User != dara {
		t.Errorf("the guard was asked %+v", asked)
	}
}

func TestAnErrorIsAReferenceThatTheLogHasToo(t *testing.T) {
	for name, breakIt := range map[string]func(*rights){
		"error": func(r *rights) { r.err = context.DeadlineExceeded },
		"panic": func(r *rights) { r.panic = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			breakIt(r.rights)
			text := r.run(dara, "audit run").text()
			_, ref, found := strings.Cut(text, "`")
			ref, _, _ = strings.Cut(ref, "`")
			if !found || len(ref) != 8 || !strings.Contains(r.log.String(), ref) {
				t.Errorf("the reference %q is not in the log:\n%s\n%s", ref, text, r.log)
			}
			if strings.Contains(text, "deadline") || strings.Contains(text, "sky") {
				t.Errorf("the answer tells too much:\n%s", text)
			}
		})
	}
}

func TestNoTokenOfAnInteractionIsLoggedOrStored(t *testing.T) {
	r := newRig(t)
	r.grant(dara, audit.RightRun)
	r.rights.err = context.DeadlineExceeded
	r.run(dara, "audit run")
	if text := r.log.String(); strings.Contains(text, "aW50ZXJhY3Rpb2") { // base64 of "interaction:", with which the local Discord's tokens begin
		t.Errorf("the log holds a token:\n%s", text)
	}
}

func TestTheAnswerIsInTheLanguageOfWhoeverAsks(t *testing.T) {
	r := newRig(t)
	want(t, r.runIn(dara, "ru", "audit run").text(), "У вас нет")
	want(t, r.runIn(dara, "de", "audit run").text(), "You lack the right")
}

func TestWhatThereIsTooMuchOfIsToldToComeBack(t *testing.T) {
	hold := make(chan struct{})
	var once sync.Once
	began := make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.AtOnce = 1
		c.Guard = func(ctx context.Context, _ Attempt) *Denial {
			once.Do(func() { close(began) })
			<-hold
			return nil
		}
	})
	done := make(chan error, 1)
	go func() {
		_, err := r.s.RunCommand(t.Context(), guildID, typed(dara, "en-US", "audit run", nil))
		done <- err
	}()
	<-began
	reply, err := r.s.RunCommand(t.Context(), guildID, typed(dara, "en-US", "audit run", nil))
	r.must(err)
	want(t, string(reply.Response), "Too much is being asked at once")
	close(hold)
	r.must(<-done)
	r.c.working.Wait()
}

func TestDefinitionsArePushedOnceAndAgainWhenSomebodyChangedThem(t *testing.T) {
	r := newRig(t) // has pushed them
	app := r.house.Application
	for range 2 {
		pushed, err := r.c.Sync(t.Context(), guildID, app, r.api)
		r.must(err)
		if pushed {
			t.Error("the same definitions were pushed again")
		}
	}
	_, err := r.api.SetGuildCommands(app, guildID, nil)
	r.must(err)
	pushed, err := r.c.Sync(t.Context(), guildID, app, r.api)
	r.must(err)
	if !pushed {
		t.Error("definitions that Discord lost were not pushed")
	}
}

func TestAnActingRunIsRefusedWhileTheLockIsOn(t *testing.T) {
	r := newRig(t)
	r.grant(dara, audit.RightRun, audit.RightApply)
	want(t, r.run(dara, "audit run", "mode", "strip").text(), "Nobody has acknowledged", "/acknowledge")
	all, err := r.db.Invocations(t.Context(), guildID, storage.InvocationFilter{Refused: true})
	r.must(err)
	if len(all) != 1 || all[0].Refusal != "initial_lock_held" {
		t.Errorf("recorded: %+v", all)
	}
	want(t, r.run(dara, "audit run", "mode", "strip_kick").text(), "gatecamp.remove")
}

// carded is a guild where dara ordered a run with an action, which has ended; its card is in the admin channel.
func carded(t *testing.T, mode string, change ...func(*Config)) (*rig, message) {
	t.Helper()
	r := newRig(t, change...)
	r.released()
	r.grant(dara, audit.RightRun, audit.RightApply, audit.RightRemove)
	r.run(dara, "audit run", "mode", mode)
	run := r.perform()
	r.must(r.c.PlanCard(t.Context(), guildID, run))
	posted := r.posted(adminChannel)
	if len(posted) != 1 {
		t.Fatalf("%d messages in the admin channel", len(posted))
	}
	return r, posted[0]
}

func TestThePlanOfARunIsACardThatPerformsExactlyThatPlanOnce(t *testing.T) {
	r, card := carded(t, "strip")
	want(t, card.text(), "Plan of run 2", "5 members", "<@&2001>", "<@4001> `4001`")
	s := r.press(dara, card, "Strip 5 members")
	want(t, s.last().text(), "Run 3 performs the plan")
	if !s.last().private() {
		t.Error("the outcome is told to everybody")
	}
	started := r.runner.started[len(r.runner.started)-1]
	if started.Order.Kind != "apply" || started.Order.DryRun || started.Order.Actor != "discord:1001" || started.Order.Origin != "command" {
		t.Errorf("started %+v", started.Order)
	}
	card = r.posted(adminChannel)[0]
	want(t, card.text(), "Confirmed", "<@1001>")
	if _, off, found := card.button("Strip 5 members"); !found || !off {
		t.Error("the button can still be pressed")
	}
}

func TestTwoPressesDoOneAct(t *testing.T) {
	r, card := carded(t, "strip")
	r.grant(kael, audit.RightRun, audit.RightApply)
	custom, _, _ := card.button("Strip 5 members")
	before := len(r.runner.started)
	replies := make(chan error, 2)
	for _, who := range []string{"1001", "1002"} {
		go func() {
			_, err := r.s.PressMessage(t.Context(), card.ID, pressBy(who, custom))
			replies <- err
		}()
	}
	for range 2 {
		<-replies // the slower may find the button off already
	}
	r.c.working.Wait()
	if n := len(r.runner.started) - before; n != 1 {
		t.Errorf("%d runs were started", n)
	}
}

func TestOthersMayPressOnlyWithTheRightsAndRightsAreAskedAgain(t *testing.T) {
	r, card := carded(t, "strip")
	s := r.press(kael, card, "Strip 5 members")
	want(t, s.last().text(), "made for <@1001>", "aa_discord_audit.run_audit")
	if !s.last().private() {
		t.Error("the notice is shown to everybody")
	}
	r.revoke(dara)
	want(t, r.press(dara, card, "Strip 5 members").last().text(), "You lack the right")
	if n := len(r.runner.started); n != 1 {
		t.Errorf("%d runs were started", n)
	}
	r.grant(kael, audit.RightRun, audit.RightApply)
	want(t, r.press(kael, card, "Strip 5 members").last().text(), "performs the plan")
}

func TestACardExpiresAlsoAfterARestart(t *testing.T) {
	r, _ := carded(t, "strip")
	r.pass(5*time.Minute + time.Second)
	again := New(r.c.cfg) // another process
	defer again.Close()
	again.Expire(t.Context(), guildID)
	card := r.posted(adminChannel)[0]
	want(t, card.text(), "Expired")
	if _, off, _ := card.button("Strip 5 members"); !off {
		t.Error("the button can still be pressed")
	}
	again.Expire(t.Context(), guildID)
	if n := len(r.posted(adminChannel)); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestACardWhoseTimeIsOverIsRefusedBeforeItIsGreyedOut(t *testing.T) {
	r, card := carded(t, "strip")
	r.pass(5*time.Minute + time.Second)
	want(t, r.press(dara, card, "Strip 5 members").last().text(), "has expired")
	want(t, r.posted(adminChannel)[0].text(), "Expired")
	if n := len(r.runner.started); n != 1 {
		t.Errorf("%d runs were started", n)
	}
}

func TestACancelledCardDoesNothing(t *testing.T) {
	r, card := carded(t, "strip")
	want(t, r.press(dara, card, "Cancel").last().text(), "Cancelled")
	want(t, r.posted(adminChannel)[0].text(), "Cancelled", "<@1001>")
	if n := len(r.runner.started); n != 1 {
		t.Errorf("%d runs were started", n)
	}
}

func TestAForgedForeignOrMovedReferenceIsRefused(t *testing.T) {
	r, card := carded(t, "strip")
	real, _, _ := card.button("Strip 5 members")
	id, _, _ := cutID(real)
	// The bot's own message with another card's button: what a compromised or confused process could post.
	for _, custom := range map[string]string{"made up": customID(newCardID(), verbGo), "moved": customID(id, verbGo), "another verb": customID(id, "all")} {
		m := r.post(custom)
		s := r.see(r.s.PressMessage(t.Context(), m, pressBy("1001", custom)))
		want(t, s.last().text(), "belongs to nothing here")
	}
	if n := len(r.runner.started); n != 1 {
		t.Errorf("%d runs were started", n)
	}
}

func TestAnotherModeAsksForItsOwnLabel(t *testing.T) {
	r, card := carded(t, "strip_kick")
	if _, _, found := card.button("Strip 5 members, kick 5 members"); !found {
		t.Errorf("buttons: %+v", card.Components)
	}
	r.revoke(dara)
	r.grant(dara, audit.RightRun, audit.RightApply)
	want(t, r.press(dara, card, "Strip 5 members, kick 5 members").last().text(), "gatecamp.remove")
}

func TestAnInteractionThatComesTwiceIsWorkedOnOnce(t *testing.T) {
	r := newRig(t)
	r.grant(dara, audit.RightRun)
	r.twice = true
	want(t, r.run(dara, "audit run").text(), "Run 1 is ordered")
	if n := len(r.runner.started); n != 1 {
		t.Errorf("%d runs were started", n)
	}
}

func TestACardIsPressedInAnotherProcessThanTheOneThatPostedIt(t *testing.T) {
	r, card := carded(t, "strip")
	r.c.Close()
	r.c = New(r.c.cfg)
	t.Cleanup(r.c.Close)
	want(t, r.press(dara, card, "Strip 5 members").last().text(), "performs the plan")
}

func TestNothingThatIsSentPingsAnybody(t *testing.T) {
	r, card := carded(t, "strip")
	r.press(dara, card, "Strip 5 members")
	r.run(dara, "audit status")
	seen := 0
	for _, q := range r.s.Requests(0) {
		if q.Method == http.MethodGet || !strings.Contains(q.Path, "messages") && !strings.Contains(q.Path, "callback") && !strings.Contains(q.Path, "webhooks") {
			continue
		}
		body := string(q.Body)
		if !strings.Contains(body, `"embeds"`) && !strings.Contains(body, `"content"`) {
			continue
		}
		seen++
		if !strings.Contains(body, `"allowed_mentions":{"parse":[],"roles":[],"users":[],"replied_user":false}`) {
			t.Errorf("%s %s says nothing about mentions: %s", q.Method, q.Path, body)
		}
	}
	if seen < 4 {
		t.Errorf("%d messages were looked at", seen)
	}
}

func TestPublicAnswersThatNamePeopleAreShownInTheAdminChannelAlone(t *testing.T) {
	r := newRig(t)
	r.released()
	r.grant(dara, audit.RightRun, audit.RightApply)
	in := typed(dara, "en-US", "audit apply", []any{"public", true})
	in.Channel = 8
	if s := r.see(r.s.RunCommand(t.Context(), guildID, in)); !s.private() {
		t.Error("people are named where everybody reads")
	}
	in.Channel = discordtest.LooseID(adminChannel)
	if s := r.see(r.s.RunCommand(t.Context(), guildID, in)); s.private() {
		t.Error("in the admin channel the card is private though it was asked for in public")
	}
}

func TestAGuildThatIsNotServedIsToldSo(t *testing.T) {
	r := newRig(t)
	r.elsewhere = true
	want(t, r.run(dara, "audit run").text(), "does not watch this server")
	if r.rights.asked != 0 {
		t.Error("rights were asked")
	}
}

func TestWhatGoesWrongOnTheWayIsTriedAgainAndNothingIsDoneTwice(t *testing.T) {
	for _, name := range []string{"5xx_before", "5xx_after"} {
		for _, route := range []string{"/interactions/{id}/{token}/callback", "/webhooks/{id}/{token}/messages/@original"} {
			t.Run(name+route, func(t *testing.T) {
				r := newRig(t)
				r.grant(dara, audit.RightRun)
				f := discordtest.Fault{Name: name}
				f.Match.Route = route
				_, err := r.s.AddFault(f)
				r.must(err)
				want(t, r.run(dara, "audit run").text(), "Run 1 is ordered")
				if n := len(r.runner.started); n != 1 {
					t.Errorf("%d runs were started", n)
				}
				if fired := r.s.Faults(); len(fired) != 1 || fired[0].Fired != 1 {
					t.Errorf("the fault did not happen: %+v", fired)
				}
			})
		}
	}
}

func TestAnAnswerThatCannotBeShownLeavesAReferenceAndNotThinking(t *testing.T) {
	r := newRig(t)
	r.grant(dara, audit.RightRun)
	f := discordtest.Fault{Name: "5xx_before", Count: 2}
	f.Match.Route = "/webhooks/{id}/{token}/messages/@original"
	_, err := r.s.AddFault(f)
	r.must(err)
	s := r.run(dara, "audit run")
	want(t, s.text(), "Give an operator this reference")
	if n := len(r.runner.started); n != 1 {
		t.Errorf("%d runs were started", n)
	}
}
