package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/disgoorg/disgo/rest"

	"gatecamp/internal/problem"
)

// Fate is what becomes of a message that did not arrive.
type Fate int

// The fates.
const (
	Later    Fate = iota // try again: Discord was busy, failed, or did not answer
	Gone                 // never again: the webhook, channel or message does not exist any more
	Barred               // Discord forbids it until somebody changes a permission or a setting
	Rejected             // Discord does not take this very message
)

func (f Fate) String() string { return [...]string{"later", "gone", "barred", "rejected"}[f] }

// ErrClosed means that a person takes no direct messages of the bot: their settings, or no server in common.
var ErrClosed = errors.New("takes no direct messages")

// Undelivered is a message that did not arrive, as far as anybody knows. It holds no address.
type Undelivered struct {
	Fate Fate
	Code string // discord_10015, http_503, network, not_sent
	// RetryAfter is when Discord is said to take it: for Later. Zero: nobody knows.
	RetryAfter time.Duration
	// Perhaps it arrived: Discord failed after it had it, or the answer was lost.
	Perhaps bool

	problem *problem.Problem
	also    error
}

// Error says what did not arrive and why, in words for a person.
func (u *Undelivered) Error() string {
	if u.problem == nil { // made by a caller, to stand for one
		return "not delivered: " + u.Fate.String()
	}
	return u.problem.Error()
}

// Unwrap gives the problem, and ErrClosed, ErrNotSent or the context's end where that is why.
func (u *Undelivered) Unwrap() []error {
	var list []error
	if u.problem != nil {
		list = append(list, u.problem)
	}
	if u.also != nil {
		list = append(list, u.also)
	}
	return list
}

// undelivered says what became of a message. The error below it is left out: it may hold the webhook's address.
func undelivered(ctx context.Context, err error, what string) *Undelivered {
	u := &Undelivered{Code: codeOf(err)}
	code := status(err)
	cure := ""
	switch {
	case rest.IsJSONErrorCode(err, rest.JSONErrorCodeCannotSendMessagesToThisUser, rest.JSONErrorCodeCannotSendMessagesToThisUserDueToHavingNoMutualGuilds,
		rest.JSONErrorCodeInvalidRecipients):
		u.Fate, u.also = Barred, ErrClosed
		cure = "allow direct messages from members of the server in Discord's privacy settings"
	case code == http.StatusNotFound:
		u.Fate = Gone
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		u.Fate = Barred
		cure = "give the bot's role View Channel, Send Messages, Embed Links and Attach Files there"
	case code == http.StatusTooManyRequests:
		u.RetryAfter = patience(headersOf(err))
	case code >= 400 && code < 500:
		u.Fate = Rejected
	default:
		u.Perhaps = u.Code != codeNotSent
	}
	if busy, ok := errors.AsType[*BusyError](err); ok {
		u.RetryAfter, u.also = busy.Wait, ErrNotSent
	}
	switch {
	case u.also != nil:
	case u.Code == codeNotSent:
		u.also = ErrNotSent
	case ctx.Err() != nil:
		u.also = context.Cause(ctx)
	}
	u.problem = problem.New(problem.Failed, what+": "+codeWords(u.Code), cure)
	return u
}

func codeWords(code string) string {
	if what, _ := Words(code); what != "" {
		return what
	}
	return code
}

func headersOf(err error) http.Header {
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Response != nil {
		return e.Response.Header
	}
	return nil
}

// BusyError means that a request was not sent, since its turn would come later than whoever sends it would wait.
type BusyError struct{ Wait time.Duration }

func (e *BusyError) Error() string {
	return fmt.Sprintf("Discord takes no such request for another %v", e.Wait.Round(time.Millisecond))
}

// Is makes it an ErrNotSent.
func (e *BusyError) Is(target error) bool { return target == ErrNotSent }
