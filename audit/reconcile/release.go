package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Acknowledge releases the first-run lock of the guild on the strength of one run that somebody looked at.
func (e *Engine) Acknowledge(ctx context.Context, runID int64, by storage.Author) (_ storage.Acknowledgement, err error) {
	defer wrap.Err(&err, "acknowledge run %d", runID)
	run, err := e.db.Run(ctx, runID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && run.Guild != e.cfg.Guild {
		return storage.Acknowledgement{}, noRun(runID)
	}
	if err != nil {
		return storage.Acknowledgement{}, err
	}
	stood, err := decode[sources](run.Sources)
	if err != nil {
		return storage.Acknowledgement{}, err
	}
	if why := unfit(run, stood, by.At); why != Fit {
		return storage.Acknowledgement{}, problem.New(problem.Refused, fmt.Sprintf("run %d cannot release the lock: %s", run.ID, unfitWords(why, run, stood)),
			"nothing was changed; order a new report with `gatecamp audit run` and acknowledge that")
	}
	kinds, err := e.Releases(ctx, run)
	if err != nil {
		return storage.Acknowledgement{}, err
	}
	ack := storage.Acknowledgement{
		Guild: e.cfg.Guild, Run: run.ID, Digest: run.Digest, PolicyVersion: run.Order.PolicyVersion, Fingerprint: stood.Auth.Fingerprint,
		Bot: stood.Roster.Bot, Kinds: kinds, Actor: by.Actor, Reason: by.Reason, At: by.At,
	}
	return e.db.Acknowledge(ctx, ack, by.Origin)
}

// Releases are the kinds of change that acknowledging the run would release: those of the policy that it was ordered under.
func (e *Engine) Releases(ctx context.Context, run storage.Run) (kinds []string, err error) {
	policy, err := e.orderedPolicy(ctx, run.Order)
	if err != nil {
		return nil, err
	}
	for _, a := range policy.Destructive() {
		kinds = append(kinds, a.String())
	}
	return kinds, nil
}

// AcknowledgeWithin is how old a run may be that releases the lock.
const AcknowledgeWithin = 24 * time.Hour

// Unfit is why a run cannot release the lock. The list is closed.
type Unfit int

// The reasons.
const (
	Fit           Unfit = iota // it can
	OfAFile                    // it looked at a file, not at the guild
	NotSucceeded               // it did not get to its end, or not without errors
	RosterPartial              // it did not see every member
	Limited                    // it was limited to some members, or to what events would have done
	AuthUnfit                  // Auth was not healthy
	TooOld                     // it is older than AcknowledgeWithin
)

var unfitNames = [...]string{"fit", "of_a_file", "not_succeeded", "roster_partial", "limited", "auth_unfit", "too_old"}

func (u Unfit) String() string { return unfitNames[u] }

// CanRelease says why a run could not release the lock at the instant: it must be complete, live, healthy, not limited and young.
func CanRelease(run storage.Run, at time.Time) (Unfit, error) {
	s, err := decode[sources](run.Sources)
	return unfit(run, s, at), err
}

func unfit(run storage.Run, s sources, at time.Time) Unfit {
	switch age := at.Sub(run.Created); {
	case run.Order.Kind == KindSnapshot:
		return OfAFile
	case run.State != storage.Succeeded:
		return NotSucceeded
	case !s.Roster.Live:
		return OfAFile
	case !s.Roster.Complete:
		return RosterPartial
	case run.Order.Limit > 0 || len(run.Order.Members) > 0 || run.Order.Kind == KindCatchUp:
		return Limited
	case s.Auth.Health != audit.Healthy.String():
		return AuthUnfit
	case age >= AcknowledgeWithin || age < 0:
		return TooOld
	}
	return Fit
}

func unfitWords(why Unfit, run storage.Run, s sources) string {
	switch why {
	case OfAFile:
		return "it looked at a file, not at the guild"
	case NotSucceeded:
		return "it is " + run.State.String()
	case RosterPartial:
		return "it did not see every member"
	case Limited:
		if run.Order.Kind == KindCatchUp {
			return "it only caught up with what happened, and planned no more than may be done at once"
		}
		return "it was limited to some members"
	case AuthUnfit:
		return "Auth was " + s.Auth.Health
	case TooOld:
		return "it is older than 24 hours"
	case Fit:
	}
	return ""
}
