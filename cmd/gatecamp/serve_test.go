package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/discord"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func TestAnAnswerOfTheOwnerExitsAsTheConsoleWouldHave(t *testing.T) {
	for _, want := range []int{exitDone, exitFailed, exitUsage, exitRefused, exitHeld} {
		a := orderAnswer{Exit: want, Problem: "no"}
		if got := exitCode(a.err()); got != want {
			t.Errorf("exit %d became %d", want, got)
		}
	}
	for _, err := range []error{problem.Usagef("x"), problem.Refusedf("x"), problem.New(problem.Held, "x", ""), errors.New("x")} {
		if got, want := exitCode(orderAnswer{Exit: exitCode(err), Problem: describe(err)}.err()), exitCode(err); got != want {
			t.Errorf("%v exits %d over the queue, %d without", err, got, want)
		}
	}
}

func TestASessionIsResumedOnlyWhileDiscordKeepsIt(t *testing.T) {
	now := time.Now()
	for age, want := range map[time.Duration]bool{0: true, time.Minute: true, sessionLasts + time.Second: false, -time.Second: false} {
		p := parking{Session: discord.Session{ID: "s"}, At: now.Add(-age)}
		if got := p.resumable(now).ID != ""; got != want {
			t.Errorf("a session left %s ago: resumed %v, want %v", age, got, want)
		}
	}
}

func TestHealthAsksWhereTheProcessListens(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", ":8080": "127.0.0.1:8080", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80", "10.1.2.3:80": "10.1.2.3:80",
	} {
		if got := dialable(listen); got != want {
			t.Errorf("%s is asked at %s, want %s", listen, got, want)
		}
	}
}

func TestOnlyAGatecampIsBelievedAboutHealth(t *testing.T) {
	answer := `<html>welcome</html>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
	t.Cleanup(server.Close)
	listen := strings.TrimPrefix(server.URL, "http://")
	if _, ok := askHTTP(t.Context(), listen); ok {
		t.Error("a web page was taken for a gatecamp")
	}
	said, err := json.Marshal(stateView{ID: "serve X", Role: roleWaiting, Ready: true})
	if err != nil {
		t.Fatal(err)
	}
	answer = string(said)
	if v, ok := askHTTP(t.Context(), listen); !ok || v.ID != "serve X" || v.Role != roleWaiting {
		t.Errorf("a gatecamp's answer was read as %+v, %v", v, ok)
	}
}

func TestHealthIsTheWorstOfAllGuilds(t *testing.T) {
	var h healthState
	h.Database.OK, h.Owner = true, &healthOwner{PID: 1}
	h.take(stateView{Role: roleOwner, Gateway: true, Ready: true, Guilds: []guildState{
		{Guild: "1", Visible: true, Roster: true, Auth: audit.Healthy.String()}, {Guild: "2", Visible: true, Roster: true, Auth: audit.Blind.String()},
	}})
	if !h.Healthy || !h.Roster || h.Auth.Verdict != audit.Blind.String() {
		t.Errorf("health is %+v", h)
	}
	h.take(stateView{Role: roleOwner, Gateway: true, Guilds: []guildState{{Guild: "1", Visible: true, Auth: audit.Healthy.String()}}})
	if h.Healthy || h.Roster || !strings.Contains(h.unwell(), "every member") {
		t.Errorf("without a roster health is %+v: %s", h, h.unwell())
	}
}

func TestWhatNobodyOrderedAndChangedNothingIsNotTold(t *testing.T) {
	report := func(kind string, state storage.RunState, opened int) *reconcile.Report {
		r := &reconcile.Report{Run: storage.Run{State: state, Order: storage.Order{Kind: kind}}}
		r.Counts.Findings.Opened = opened
		return r
	}
	for _, c := range []struct {
		name string
		r    *reconcile.Report
		want bool
	}{
		{"a run with nothing to do", report(reconcile.KindLive, storage.Succeeded, 0), true},
		{"a catch-up that found nothing", report(reconcile.KindCatchUp, storage.Succeeded, 0), false},
		{"a catch-up that found something", report(reconcile.KindCatchUp, storage.Succeeded, 1), true},
		{"a run that goes on after a restart", report(reconcile.KindLive, storage.Interrupted, 1), false},
	} {
		if got := worthTelling(c.r); got != c.want {
			t.Errorf("%s: told %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWhoWaitsForARunHearsOfItsEndOnce(t *testing.T) {
	var e ears
	first, gone := e.listen(7), e.listen(7)
	e.forget(7, gone)
	e.went(7, 1, 4)
	e.went(7, 2, 4)
	if got := <-first.progress; got != [2]int{2, 4} {
		t.Errorf("progress is %v, want the newest", got)
	}
	if done, of := e.far(7); done != 2 || of != 4 {
		t.Errorf("run 7 is at %d of %d", done, of)
	}
	e.ended(7, nil, context.Canceled)
	e.ended(7, nil, nil)
	if end := <-first.end; !errors.Is(end.err, context.Canceled) {
		t.Errorf("the end is %v", end.err)
	}
	if len(gone.end) != 0 || len(e.waiting) != 0 {
		t.Error("somebody is told who does not wait any longer")
	}
}
