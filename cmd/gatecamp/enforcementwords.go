package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"gatecamp/enforcement"
)

// eventWords is what is being said about an event.
type eventWords struct {
	*toldEvent
	strings.Builder
}

func (w *eventWords) say(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// words are the event as a person reads it.
func (e *toldEvent) words() string {
	w := &eventWords{toldEvent: e}
	switch e.Type {
	case enforcement.Blocked:
		w.say("denied      %s", e.who())
		w.where()
		w.until(", blocked ")
	case enforcement.BlockApplied:
		w.applied()
	case enforcement.BlockRevoked:
		w.say("unblocked   %s, by %s", e.who(), cmp.Or(e.text("enforcement.revoked_by"), "somebody"))
	case enforcement.Alert:
		w.say("ALERT       rule %s", e.text("security_rule.name"))
		if e.text("scope.type") != "" {
			w.say(" about %s", e.who())
		}
		w.where()
		w.say("%s", map[string]string{
			"contain": "; their privileged roles are to be taken", "contained": "; what became of it", "rule_off": "; the rule is off", "counting_again": "; rules count again",
		}[e.text("enforcement.action")])
	case enforcement.EvaluationFailed:
		w.failed()
	case enforcement.Shadow:
		w.shadow()
	case enforcement.Unscoped:
		w.say("NOBODY      rule %s fired", e.text("security_rule.name"))
		w.where()
		w.say(", and nobody who could be blocked was there")
	}
	if reason := e.text("enforcement.reason"); reason != "" {
		w.say(": %s", reason)
	}
	switch n := e.number("enforcement.suppressed"); {
	case n == 0 || e.text("error.type") == eventsDropped:
	case e.flag("enforcement.summary"):
		w.say(" (in sum: %d more like it)", n)
	default:
		w.say(" (and %d like it before)", n)
	}
	return w.String()
}

// eventsDropped is the error of an event that stands for lost ones.
const eventsDropped = "events_dropped"

func (w *eventWords) applied() {
	verb := "blocked"
	if w.text("enforcement.action") == "shortened" {
		verb = "shortened"
	}
	w.say("%-11s %s", verb, w.who())
	w.until(" ")
	w.say(", by %s", cmp.Or(w.text("enforcement.actor"), "somebody"))
	w.say("%s", map[string]string{"strip": "; their roles are taken", "kick": "; they are removed from the guild", "ban": "; they are banned from the guild"}[w.text("enforcement.also")])
	if w.flag("enforcement.held_in_process") {
		w.say("; held in memory until the database is back")
	}
}

func (w *eventWords) failed() {
	if w.text("error.type") == eventsDropped {
		w.say("LOST        %s: there was no room for them", count(w.number("enforcement.suppressed"), "event", "events"))
		return
	}
	w.say("FAILED      the check")
	if rule := w.text("security_rule.name"); rule != "" {
		w.say(" of rule %s", rule)
	}
	w.where()
	outcome := "went on"
	if w.text("enforcement.fail_mode") == enforcement.Closed.String() {
		outcome = "was denied"
	}
	w.say(" (%s); the attempt %s", cmp.Or(w.text("error.type"), "unknown"), outcome)
}

func (w *eventWords) shadow() {
	did := map[string]string{
		"blocked": "denied", "temp": "blocked for a while", "permanent": "blocked for good", "alert": "warned about", "contain": "taken the privileged roles of",
	}[w.text("enforcement.action")]
	if did == "" {
		w.say("seen        rule %s fired about %s", w.text("security_rule.name"), w.who())
		w.where()
		w.say("; it only observes")
		return
	}
	w.say("would have  %s %s", did, w.who())
	if rule := w.text("security_rule.name"); rule != "" {
		w.say(", rule %s", rule)
	}
	w.where()
}

// who is the subject, and in which guild if it is not one everywhere.
func (e *toldEvent) who() string {
	scope := e.text("scope.type")
	if scope == "" {
		return "nobody in particular"
	}
	who, where := scope+":"+e.text("scope.value"), e.text("enforcement.namespace")
	if strings.HasPrefix(where, "guild:") && scope != "member" && scope != "guild" {
		who += " in " + where
	}
	return who
}

// where says what somebody tried.
func (w *eventWords) where() {
	if route := w.text("enforcement.route"); route != "" {
		w.say(" at %s", route)
	}
}

// until says when a block ends.
func (w *eventWords) until(before string) {
	end, err := time.Parse("2006-01-02T15:04:05.000000-07:00", w.text("enforcement.expires_at"))
	if err != nil {
		w.say("%sfor good", before)
		return
	}
	w.say("%suntil %s", before, eveTime(end))
}

func (e *toldEvent) flag(name string) bool {
	yes, _ := e.has[name].(bool)
	return yes
}
