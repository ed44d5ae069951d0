package discord

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// CallWithin bounds one write, repetitions included: the lease under which it is made must last as long.
const CallWithin = 4 * time.Second

// Offer is what somebody wants to do to one member, in order.
type Offer struct {
	Actions []audit.Action // all of one member; at least one
	// Linked says that Auth knows the member and may be writing their roles at any moment. Auth writes whole arrays, so then each role
	// is taken by itself: an array of ours would take a role that Auth has just given, and nothing brings it back.
	Linked   bool
	Priority Priority
	// Later is told what a look some seconds after a write found, where Auth may be writing and only if it is not what the write
	// left behind. May be nil.
	Later func(audit.Outcome)
}

// Slot is a place in the line of requests: nothing has been sent, and Do sends at once.
type Slot struct {
	g        *Guild
	offer    Offer
	covers   int
	array    bool // the roles go with one write of all roles
	place    *Reservation
	verdict  string // refused before anything was asked for; then there is no place
	finished bool
}

// Reserve waits until the first of the actions may be sent at once, alone or with more of them in one call. An action that would
// never be allowed needs no place: its slot says so when it is used.
func (g *Guild) Reserve(ctx context.Context, o Offer) (_ *Slot, err error) {
	a := o.Actions[0]
	defer wrap.Err(&err, "reserve %s of member %d", a.Kind, a.Member)
	s := &Slot{g: g, offer: o, covers: 1}
	if s.verdict = g.beyond(a); s.verdict != "" {
		return s, nil
	}
	together := g.together(o)
	ways := g.ways(a, together, o.Linked)
	if s.place, err = g.c.limiter.Reserve(ctx, o.Priority, ways...); err != nil {
		return nil, err
	}
	if s.array = route(ways[s.place.Which]) == routeOf(rest.UpdateMember); s.array {
		s.covers = together
	}
	return s, nil
}

// together is how many of the actions, from the first on, one write of all roles can do.
func (g *Guild) together(o Offer) (n int) {
	for _, a := range o.Actions {
		if !takesRole(a.Kind) || a.Member != o.Actions[0].Member || n > 0 && g.beyond(a) != "" {
			break
		}
		n++
	}
	return n
}

// takesRole reports whether the kind takes one role, and nothing else.
func takesRole(k audit.Kind) bool { return k == audit.RemoveRole || k == audit.Contain }

// ways are the endpoints that can do the first action, the better one first: a role by itself while that bucket has room, all roles
// at once for several, and each in place of the other when the bucket is used up.
func (g *Guild) ways(a audit.Action, together int, linked bool) []*rest.CompiledEndpoint {
	switch a.Kind {
	case audit.KickMember:
		return []*rest.CompiledEndpoint{rest.RemoveMember.Compile(nil, g.id, a.Member)}
	case audit.BanMember:
		return []*rest.CompiledEndpoint{rest.AddBan.Compile(nil, g.id, a.Member)}
	case audit.RemoveRole, audit.Contain, audit.GiveRoleBack:
	}
	one := rest.RemoveMemberRole.Compile(nil, g.id, a.Member, a.Role)
	all := rest.UpdateMember.Compile(nil, g.id, a.Member)
	switch {
	case linked:
		return []*rest.CompiledEndpoint{one}
	case together > 1:
		return []*rest.CompiledEndpoint{all, one}
	}
	return []*rest.CompiledEndpoint{one, all}
}

func routeOf(e *rest.Endpoint) string { return e.Method + " " + e.Route }

// Covers says how many of the offered actions, from the first on, Do can send with its one call.
func (s *Slot) Covers() int { return s.covers }

// Release gives the place back unused; after Do it does nothing.
func (s *Slot) Release() {
	if s.place != nil {
		s.place.Release()
	}
}

// Do sends the given ones of the covered actions at once, reads back what became of them, and says so for each. Whatever it is asked
// for, it does not remove the owner, and touches neither the bot itself nor roles that Discord manages. A call takes at most
// CallWithin; reading back may take a little longer. The reason is shown in Discord's audit log.
func (s *Slot) Do(ctx context.Context, actions []audit.Action, reason string) []audit.Outcome {
	defer s.Release()
	outcomes := make([]audit.Outcome, len(actions))
	var send []audit.Action
	for i, a := range actions {
		outcomes[i] = audit.Outcome{Action: a, Result: audit.Refused, Code: s.objection(i, a)}
		if outcomes[i].Code == codeUnseen {
			outcomes[i].Result = audit.NotTried
		}
		if outcomes[i].Code == "" {
			send = append(send, a)
		}
	}
	s.finished = true
	if len(send) == 0 {
		return outcomes
	}
	ctx, end := context.WithTimeout(ctx, CallWithin)
	defer end()
	w := &write{g: s.g, ctx: s.place.Context(ctx), reason: Reason(reason), member: send[0].Member}
	var done []audit.Outcome
	switch {
	case s.array:
		done = w.array(send)
	case takesRole(send[0].Kind):
		done = []audit.Outcome{w.role(send[0])}
	default:
		done = []audit.Outcome{w.remove(send[0])}
	}
	for _, o := range done {
		outcomes[slices.Index(actions, o.Action)] = o
		s.g.remember(o)
	}
	if s.offer.Linked && s.offer.Later != nil {
		s.g.lookAgain(done, s.offer)
	}
	return outcomes
}

// objection is the last thing that stands before a write.
func (s *Slot) objection(i int, a audit.Action) string {
	switch {
	case s.finished:
		return codeSent
	case s.verdict != "":
		return s.verdict
	case !s.g.Visible():
		return codeUnseen
	case i >= s.covers || a.Member != s.offer.Actions[0].Member || !slices.Contains(s.offer.Actions[:s.covers], a):
		return codeNotReserved
	}
	return s.g.beyond(a)
}

// Beyond says why an action would never be allowed, as the code of an outcome, from what was seen so far; empty if it may be tried.
func (g *Guild) Beyond(a audit.Action) string { return g.beyond(a) }

// beyond says why an action would never be allowed; empty if it may be tried.
func (g *Guild) beyond(a audit.Action) string {
	var held []snowflake.ID
	if t := g.m.fresh(a.Member); t != nil {
		held = t.roles
	}
	if code := g.m.beyond(a, held); code != "" {
		return code
	}
	return g.refusedBefore(a)
}

// refusal is what Discord said to an action, and how the bot stood then.
type refusal struct {
	code     string
	standing uint
	at       time.Time
}

// refusalsLast is how long an answer of 403 is not asked for again where nothing shows that it has changed. Each counts towards the
// ban of the address.
const refusalsLast = 10 * time.Minute

// remember keeps what Discord forbade: it is not asked again for this role, or this member's removal, until the bot stands otherwise.
func (g *Guild) remember(o audit.Outcome) {
	if o.Result != audit.Refused || !forbidden(o.Code) {
		return
	}
	_, standing := g.m.stands()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused[subjectOf(o.Action)] = refusal{o.Code, standing, time.Now()}
	if o.Code == codeDiscord+"60003" || o.Code == codeDiscord+"50001" { // about the bot, not about this role or member
		g.refused[audit.Action{}] = refusal{o.Code, standing, time.Now()}
	}
}

func forbidden(code string) bool {
	return slices.Contains([]string{codeDiscord + "50013", codeDiscord + "50001", codeDiscord + "50028", codeDiscord + "60003", codeHTTP + "403"}, code)
}

// subjectOf is what a refusal of the action is about: a role whoever holds it, or one member's removal.
func subjectOf(a audit.Action) audit.Action {
	if takesRole(a.Kind) {
		return audit.Action{Kind: audit.RemoveRole, Role: a.Role}
	}
	return audit.Action{Kind: a.Kind, Member: a.Member}
}

func (g *Guild) refusedBefore(a audit.Action) string {
	_, standing := g.m.stands()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range []audit.Action{{}, subjectOf(a)} {
		r, known := g.refused[key]
		if known && r.standing == standing && time.Since(r.at) < refusalsLast {
			return r.code
		}
		delete(g.refused, key)
	}
	return ""
}

// againWithin is how long a second look may wait for its turn: it lets everything else go first.
const againWithin = time.Minute

// lookAgain looks at what was done once more when Auth had time to write over it.
func (g *Guild) lookAgain(done []audit.Outcome, o Offer) {
	done = slices.DeleteFunc(slices.Clone(done), func(d audit.Outcome) bool {
		return !takesRole(d.Action.Kind) || d.Result != audit.Done && d.Result != audit.Collateral
	})
	if len(done) == 0 {
		return
	}
	g.c.later.Go(func() {
		t := time.NewTimer(g.c.again)
		defer t.Stop()
		select {
		case <-t.C:
		case <-g.c.quit:
			return
		}
		ctx, end := context.WithTimeout(WithPriority(context.Background(), Spare), againWithin)
		defer end()
		now, err := readAgain(ctx, func() (*discord.Member, error) {
			return g.c.bot.Rest.GetMember(g.id, done[0].Action.Member, rest.WithCtx(ctx))
		})
		if err != nil {
			return
		}
		for _, d := range done {
			if slices.Contains(now.RoleIDs, d.Action.Role) {
				o.Later(audit.Outcome{Action: d.Action, Result: audit.NotApplied, Code: codeGivenBack})
			}
		}
	})
}

// MaxReason is the most characters that Discord takes as a reason (docs: resources/audit-log).
const MaxReason = 512

// Reason makes a text fit for Discord's audit log: one line, at most MaxReason characters, whole ones.
func Reason(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if runes := []rune(text); len(runes) > MaxReason {
		text = string(runes[:MaxReason-1]) + "…"
	}
	return text
}

// failure is the outcome of a call that Discord did not accept. Sent says that an earlier attempt may have reached Discord.
func failure(a audit.Action, err error, sent bool) audit.Outcome {
	o := audit.Outcome{Action: a, Result: audit.FailedCall, Code: codeOf(err)}
	code := status(err)
	switch {
	case rest.IsJSONErrorCode(err, rest.JSONErrorCodeUnknownMember, rest.JSONErrorCodeUnknownUser):
		o.Result, o.Code = audit.Gone, codeLeft
	case rest.IsJSONErrorCode(err, rest.JSONErrorCodeUnknownRole) && takesRole(a.Kind):
		o.Result, o.Code = audit.AlreadySo, codeRoleUnknown
	case o.Code == codeNotSent && !sent || errors.Is(err, context.Canceled) && !sent && o.Code == codeNotSent:
		o.Result = audit.NotTried
	case code >= 400 && code < 500 && code != 429:
		o.Result = audit.Refused
	}
	return o
}
