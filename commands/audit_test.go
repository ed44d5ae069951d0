package commands

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/discord/discordtest"
	"gatecamp/storage"
)

func TestFindingsAreListedInPagesAndAttachedWhole(t *testing.T) {
	r := newRig(t)
	for i := range 20 { // twenty more strangers with a role
		m := r.guild.pic.Members[40]
		m.ID = snowflake.ID(5001 + i)
		r.guild.pic.Members = append(r.guild.pic.Members, m)
	}
	r.released()
	r.grant(dara, audit.RightViewFindings)
	s := r.run(dara, "audit findings")
	want(t, s.text(), "page 1 of 3", "25 in all", "stranger", "<@&2001>")
	if !s.private() {
		t.Error("findings are shown to everybody")
	}
	if len(s.Attachments) != 2 || s.Attachments[0].Filename != "findings.csv" || s.Attachments[1].Filename != "findings.json" {
		t.Errorf("attached: %+v", s.Attachments)
	}
	if _, off, _ := s.button("Previous"); !off {
		t.Error("there is a page before the first")
	}
	s2 := r.press(dara, s.message, "Next")
	want(t, s2.text(), "page 2 of 3")
	if n := strings.Count(s2.text(), "<@&2001>"); n != 10 {
		t.Errorf("%d findings on the second page", n)
	}
	s3 := r.press(dara, s2.message, "Next")
	want(t, s3.text(), "page 3 of 3")
	if len(s3.Attachments) != 2 {
		t.Errorf("the files went with the page: %+v", s3.Attachments)
	}
	r.revoke(dara)
	want(t, r.press(dara, s3.message, "Previous").last().text(), "You lack the right")
}

func TestFindingsCanBeFilteredAndTakenAsAFile(t *testing.T) {
	r := newRig(t)
	r.released()
	r.grant(dara, audit.RightViewRuns)
	s := r.run(dara, "audit findings", "category", "surplus_roles")
	want(t, s.text(), "There are no such findings.")
	// Of the members who hold a role, and not only of troubles with the role itself.
	want(t, r.run(dara, "audit findings", "role", 2001).text(), "<@&2001>", "a stranger")
	want(t, r.run(dara, "audit findings", "role", 2002).text(), "There are no such findings.")
	s = r.run(dara, "audit findings", "category", "unknown_guest", "format", "csv")
	if len(s.Attachments) != 1 || s.Attachments[0].Filename != "findings.csv" {
		t.Errorf("attached: %+v", s.Attachments)
	}
}

func TestPagesAreForWhoeverAskedForThem(t *testing.T) {
	r := newRig(t)
	r.released()
	for range 12 {
		r.report()
	}
	r.grant(dara, audit.RightViewRuns)
	r.grant(kael, audit.RightViewRuns)
	s := r.run(dara, "audit history", "public", true)
	if s.private() {
		t.Error("the answer was asked for in public, and is private")
	}
	want(t, s.text(), "page 1 of 2")
	want(t, r.press(kael, s.message, "Next").last().text(), "for whoever asked")
}

func TestARefusalIsPrivateAlsoWhereThePublicWasAskedFor(t *testing.T) {
	r := newRig(t)
	s := r.run(dara, "audit history", "public", true)
	want(t, s.last().text(), "You lack the right")
	if !s.last().private() {
		t.Error("the refusal is shown to everybody")
	}
}

func TestTwoRunsAreCompared(t *testing.T) {
	r := newRig(t)
	r.released()
	first := r.report()
	r.guild.pic.Members = r.guild.pic.Members[:44] // one stranger left
	second := r.report()
	r.grant(dara, audit.RightViewRuns)
	want(t, r.run(dara, "audit diff", "run", "2", "to", "3").text(), "From run 2 to run 3", "4005", "gone")
	want(t, r.run(dara, "audit diff", "run", "3").text(), "Nothing differs")
	want(t, r.run(dara, "audit diff", "run", "77").text(), "There is no run 77")
	want(t, r.run(dara, "audit diff", "run", "abc").text(), "is no number")
	_, _ = first, second
}

func TestARunIsCancelledByTheRightOrByManageServer(t *testing.T) {
	r := newRig(t)
	r.grant(kael, audit.RightRun)
	for range 2 {
		_, err := r.house.Engine.Order(t.Context(), storage.Order{Kind: reconcile.KindLive, DryRun: true, Actor: "schedule", Origin: "schedule"})
		r.must(err)
	}
	// dara holds no right of ours, but owns the guild, and so may manage it.
	want(t, r.run(dara, "audit cancel").text(), "Run 1 is cancelled")
	want(t, r.run(dara, "audit cancel", "run", "1").text(), "Run 1 is cancelled") // again is no error
	want(t, r.run(dara, "audit cancel", "run", "2").text(), "Run 2 is cancelled")
	want(t, r.run(dara, "audit cancel").text(), "No run is at work")
	want(t, r.run(dara, "audit abandon", "run", "2").text(), "You lack the right")
	if len(r.runner.cancelled) != 3 {
		t.Errorf("the runner was told of %v", r.runner.cancelled)
	}
	all, err := r.db.Invocations(t.Context(), guildID, storage.InvocationFilter{})
	r.must(err)
	if v := all[len(all)-1]; !v.Accepted || v.Command != "audit cancel" || v.Counted {
		t.Errorf("recorded %+v", v)
	}
}

func TestAnInterruptedRunIsResumedAndOneAtWorkIsNot(t *testing.T) {
	r := newRig(t)
	r.grant(dara, audit.RightRun)
	run, err := r.house.Engine.Order(t.Context(), storage.Order{Kind: reconcile.KindLive, DryRun: true, Actor: "schedule", Origin: "schedule"})
	r.must(err)
	_, err = r.db.MoveRun(t.Context(), storage.Move{Run: run.ID, From: storage.Pending, To: storage.Running, At: r.now(), Owner: "other"})
	r.must(err)
	want(t, r.run(dara, "audit resume", "run", "1").text(), "is at work")
	r.pass(time.Minute)
	want(t, r.run(dara, "audit resume", "run", "1").text(), "Run 1 goes on")
	if n := len(r.runner.started); n != 1 || r.runner.started[0].State != storage.Interrupted {
		t.Errorf("started %+v", r.runner.started)
	}
	want(t, r.run(dara, "audit abandon", "run", "1").text(), "Run 1 is given up")
	want(t, r.run(dara, "audit resume", "run", "1").text(), "nothing follows that")
}

func TestAnActingRunIsResumedOnlyWithTheRightsThatItNeeds(t *testing.T) {
	r := newRig(t)
	r.grant(dara, audit.RightRun)
	_, err := r.house.Engine.Order(t.Context(), storage.Order{Kind: reconcile.KindLive, Mode: "strip", Actor: "discord:1001", Origin: "command"})
	r.must(err)
	want(t, r.run(dara, "audit resume", "run", "1").text(), "gatecamp.apply")
}

func TestStatusSaysWhatIsRunningAndWhatHoldsChanges(t *testing.T) {
	r := newRig(t)
	r.house.Status = func() Status {
		return Status{
			Connected: true, Complete: true, Inbox: 3, Oldest: 2 * time.Second, Overflowed: 1, Looks: 40, Schedule: "@every 6h", Next: r.now().Add(time.Hour),
			WebhookDead: r.now(),
		}
	}
	r.house.REST = opened{r.api}
	r.grant(dara, audit.RightViewRuns)
	want(t, r.run(dara, "audit status").text(), "nobody has acknowledged", "No run is at work", "Auth has not been read", "3 members", "overflowed 1 time", "@every 6h", "GATECAMP_WEBHOOK_URL", "`/audit` is shown to everybody")
	r.released()
	_, err := r.db.Pause(t.Context(), guildID, storage.Author{Actor: "discord:1002", Origin: "command", Reason: "Auth *looks* wrong @everyone", At: r.now()})
	r.must(err)
	s := r.run(dara, "audit status")
	want(t, s.text(), "released by `console:test`", "Paused by <@1002>", `Auth \*looks\* wrong`, "Auth: healthy", "succeeded")
	if strings.Contains(s.text(), "@everyone") {
		t.Error("a reason can ping")
	}
}

func TestChoicesOfRunsAreOnlyForThoseWhoMaySeeThem(t *testing.T) {
	r := newRig(t)
	r.released()
	if got := r.typing(dara, "audit diff", "run", "run", ""); got.Type != 8 || len(got.Choices) != 0 {
		t.Errorf("somebody without rights is offered %v", got.Choices)
	}
	r.grant(kael, audit.RightViewRuns)
	r.pass(time.Minute)
	r.grant(dara, audit.RightViewRuns)
	got := r.typing(dara, "audit diff", "run", "run", "1").Choices
	if len(got) != 1 || got[0].Value != "1" || !strings.Contains(got[0].Name, "succeeded") {
		t.Errorf("offered %v", got)
	}
}

func TestWhileAuthIsAwayReadingWorksFromWhatWasSeenAndNothingLoosens(t *testing.T) {
	r := newRig(t)
	r.link(dara)
	want(t, r.run(dara, "audit history").text(), "no run yet") // her rights are seen
	r.guild.lose(errors.New("connection refused"))
	want(t, r.run(dara, "audit history").text(), "no run yet")
	want(t, r.run(dara, "audit run").text(), "Auth cannot be asked", "nothing was done")
	r.grant(dara, audit.RightAcknowledge, audit.RightRun, audit.RightApply)
	want(t, r.run(dara, "audit run").text(), "is ordered")             // a grant to her own account does not depend on Auth
	want(t, r.run(dara, "acknowledge").text(), "Auth cannot be asked") // but what loosens waits for it
	want(t, r.run(dara, "audit run", "mode", "strip").text(), "Auth cannot be asked")
	r.pass(25 * time.Hour)
	r.revoke(dara)
	want(t, r.run(dara, "audit history").text(), "Auth cannot be asked")
}

// link makes somebody a superuser of Auth.
func (r *rig) link(user snowflake.ID) {
	d := *r.guild.auth
	d.Accounts = append(append([]audit.Account{}, d.Accounts...), audit.Account{User: 900, Username: "boss", Discord: user, Active: true, Superuser: true, State: 0})
	d.Index()
	d.Counts = audit.CountFacts(&d)
	r.guild.auth = &d
}

// locked is a guild with a report that somebody may acknowledge.
func locked(t *testing.T) (r *rig, marked *atomic.Int64) {
	t.Helper()
	marked = &atomic.Int64{}
	r = newRig(t)
	r.house.Marked = func(context.Context) { marked.Add(1) }
	r.policy(stripStrangers)
	r.grant(dara, audit.RightAcknowledge)
	want(t, r.run(dara, "acknowledge").text(), "There is no report that can release the lock")
	r.report()
	return r, marked
}

const releaseLabel = "Release the lock: I have read run 1"

func TestTheLockIsReleasedByWhoeverReadTheReportAndSaysWhy(t *testing.T) {
	r, marked := locked(t)
	card := r.run(dara, "acknowledge")
	want(t, card.text(), "What report 1 found", "5 strangers", "5 findings", "kick")
	if custom, _, _ := card.button(releaseLabel); len(custom) > 100 || strings.Contains(custom, "1001") {
		t.Errorf("the custom id %q holds more than a reference", custom)
	}
	if n := len(card.Components[0].Components); n != 2 || card.Components[0].Components[0].Style != 3 {
		t.Errorf("buttons %+v, want a green one and Cancel", card.Components)
	}
	modal := r.press(dara, card.message, releaseLabel)
	if n := len(modal.Modal.Components); n != 1 || !modal.Modal.Components[0].Component.Required {
		t.Errorf("the modal is %+v, want one required input", modal.Modal)
	}
	done := r.fill(dara, modal, map[string]any{modal.Modal.Components[0].Component.CustomID: "read all five\nstrangers"})
	want(t, done.last().text(), "The lock is released", "read all five strangers")
	ack, err := r.db.Acknowledged(t.Context(), guildID)
	r.must(err)
	if ack.Actor != "discord:1001" || ack.Reason != "read all five strangers" || ack.Run != 1 {
		t.Errorf("acknowledged %+v", ack)
	}
	if marked.Load() != 1 {
		t.Error("blocked members were not looked at again")
	}
	i, err := r.s.Interaction(card.interaction)
	r.must(err)
	if !strings.Contains(string(i.Original), "Confirmed") {
		t.Errorf("the card shows %s", i.Original)
	}
}

func TestTheRightIsAskedAgainWhenTheModalIsSent(t *testing.T) {
	r, _ := locked(t)
	modal := r.press(dara, r.run(dara, "acknowledge").message, releaseLabel)
	r.revoke(dara)
	want(t, r.fill(dara, modal, map[string]any{"reason": "x"}).last().text(), "You lack the right")
	if _, err := r.db.Acknowledged(t.Context(), guildID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the lock is released: %v", err)
	}
	r.grant(dara, audit.RightAcknowledge)
	r.pass(6 * time.Minute)
	want(t, r.fill(dara, modal, map[string]any{"reason": "x"}).last().text(), "has expired")
}

func TestAnOldOrPartialReportReleasesNothing(t *testing.T) {
	r, _ := locked(t)
	r.pass(24 * time.Hour)
	want(t, r.run(dara, "acknowledge", "run", "1").text(), "older than 24 hours")
	r.guild.pic.Complete = false
	r.report()
	want(t, r.run(dara, "acknowledge", "run", "2").text(), "did not see every member")
	want(t, r.run(dara, "acknowledge").text(), "There is no report")
}

// crowded is a card about thirty members, whose label has to be typed.
func crowded(t *testing.T, change ...func(*Config)) (*rig, message) {
	t.Helper()
	r := newRig(t, change...)
	for i := range 25 {
		m := r.guild.pic.Members[40]
		m.ID = snowflake.ID(5001 + i)
		r.guild.pic.Members = append(r.guild.pic.Members, m)
	}
	r.released()
	r.grant(dara, audit.RightRun, audit.RightApply)
	r.run(dara, "audit run", "mode", "strip")
	r.must(r.c.PlanCard(t.Context(), guildID, r.perform()))
	return r, r.posted(adminChannel)[0]
}

func TestAboveTwentyFiveMembersTheLabelHasToBeTyped(t *testing.T) {
	r, card := crowded(t)
	modal := r.press(dara, card, "Strip 30 members")
	if c := modal.Modal.Components; len(c) != 1 || c[0].Description != `Type: "Strip 30 members"` {
		t.Fatalf("the modal is %+v", modal.Modal)
	}
	want(t, r.fill(dara, modal, map[string]any{"phrase": "yes"}).last().text(), "is not what was asked for")
	custom, _, _ := card.button("Strip 30 members")
	russian := r.see(r.s.PressMessage(t.Context(), card.ID, discordtest.PressCall{User: discordtest.LooseID(dara), Locale: "ru", CustomID: custom}))
	if c := russian.Modal.Components; len(c) != 1 || c[0].Description != "Введите: «Снять роли: 30 участников»" {
		t.Fatalf("the modal is %+v", russian.Modal)
	}
	want(t, r.fill(dara, modal, map[string]any{"phrase": "\"strip 30 members\""}).last().text(), "performs the plan")
}

func TestAPlanThatABrakeHoldsHasNoButton(t *testing.T) {
	r := newRig(t)
	r.released()
	r.policy("unknown_guest: {default: strip, grace: 0s}\nlimits: {members: {run: {ceiling: 2}}}\n")
	r.grant(dara, audit.RightRun, audit.RightApply)
	r.run(dara, "audit run", "mode", "strip")
	r.must(r.c.PlanCard(t.Context(), guildID, r.perform()))
	posted := r.posted(adminChannel)
	want(t, posted[0].text(), "This plan is held", "members touched", "<@4001>")
	if len(posted) != 1 || len(posted[0].Components) != 0 {
		t.Errorf("there is something to press: %+v", posted[0].Components)
	}
	want(t, r.run(dara, "audit apply").text(), "This plan is held", "members touched")
}

func TestWhatHoldsAPlanSaysWhatToDo(t *testing.T) {
	r := newRig(t)
	r.released()
	r.grant(dara, audit.RightRun, audit.RightApply)
	r.run(dara, "audit run", "mode", "strip")
	_, err := r.db.Pause(t.Context(), guildID, r.author())
	r.must(err)
	r.must(r.c.PlanCard(t.Context(), guildID, r.perform()))
	want(t, r.posted(adminChannel)[0].text(), "This plan is held", "the pause", "End the pause with /unpause")
}

func TestAReportTellsWhatThePolicyWants(t *testing.T) {
	r := newRig(t)
	r.released()
	r.grant(dara, audit.RightRun)
	r.run(dara, "audit run", "mode", "report")
	run := r.perform()
	if run.Order.Mode != "" || !run.Order.DryRun {
		t.Errorf("the order is %+v", run.Order)
	}
	want(t, r.run(dara, "audit findings").text(), "wanted: take the managed roles")
}

func TestTheStoredPlanIsShownAsACardByApply(t *testing.T) {
	r := newRig(t)
	r.released()
	r.grant(dara, audit.RightRun, audit.RightApply, audit.RightRemove)
	s := r.run(dara, "audit apply")
	want(t, s.text(), "Plan of run 1")
	want(t, r.press(dara, s.message, "Strip 5 members, kick 5 members").last().text(), "Run 2 performs the plan")
	i, err := r.s.Interaction(s.interaction)
	r.must(err)
	if !strings.Contains(string(i.Original), "Confirmed") {
		t.Errorf("the card shows %s", i.Original)
	}
}

func TestACardForOnePersonAloneIsGreyedOutWhileItsTokenLives(t *testing.T) {
	r := newRig(t)
	r.released()
	r.grant(dara, audit.RightRun, audit.RightApply)
	s := r.run(dara, "audit apply")
	r.pass(5*time.Minute + time.Second)
	r.c.Expire(t.Context(), guildID)
	i, err := r.s.Interaction(s.interaction)
	r.must(err)
	if !strings.Contains(string(i.Original), "Expired") {
		t.Errorf("the card shows %s", i.Original)
	}
}

func TestARightTakenBetweenThePressAndTheWorkStopsTheRun(t *testing.T) {
	r, card := carded(t, "strip")
	r.press(dara, card, "Strip 5 members")
	run := r.runner.started[len(r.runner.started)-1]
	r.must(r.c.StillMay(t.Context(), run))
	r.revoke(dara)
	if err := r.c.StillMay(t.Context(), run); err == nil {
		t.Error("the run may still be performed")
	}
	all, err := r.db.Invocations(t.Context(), guildID, storage.InvocationFilter{Refused: true})
	r.must(err)
	if len(all) != 1 || all[0].User != "discord:1001" {
		t.Errorf("recorded %+v", all)
	}
}

// opened is a guild whose settings show /audit to everybody.
type opened struct{ rest.Rest }

func (o opened) GetGuildCommandsPermissions(application, guild snowflake.ID, opts ...rest.RequestOpt) ([]discord.ApplicationCommandPermissions, error) {
	commands, err := o.GetGuildCommands(application, guild, false, opts...)
	if err != nil {
		return nil, err
	}
	everybody := discord.ApplicationCommandPermissionRole{RoleID: guild, Permission: true}
	return []discord.ApplicationCommandPermissions{{ID: commands[0].ID(), Permissions: []discord.ApplicationCommandPermission{everybody}}}, nil
}
