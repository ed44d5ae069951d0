package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Deed is what somebody wants a right for. It decides what counts while Auth cannot be asked. The list is closed.
type Deed int

// The deeds, the harmless first.
const (
	Reading   Deed = iota + 1 // looks, and changes nothing
	Guarding                  // keeps somebody out for an hour at most
	Stopping                  // stops something: a pause, a cancelled run. Manage Server in Discord is enough
	Ordinary                  // a report
	Loosening                 // lets more happen than before: never while Auth cannot be asked, whoever asks
)

var deedNames = [...]string{"", "reading", "guarding", "stopping", "ordinary", "loosening"}

func (d Deed) String() string { return deedNames[d] }

// DeedOf is what a right is mostly for. A short block is Guarding though RightBlock is Ordinary, and lifting one is Loosening; cancelling a run is Stopping though RightRun is Ordinary, and letting things go on is Loosening
// though RightPause is Stopping: who asks for that says so.
func DeedOf(r audit.Right) Deed {
	switch {
	case r.Reads():
		return Reading
	case r == audit.RightRun, r == audit.RightBlock, r == audit.RightBlockGlobal:
		return Ordinary
	case r == audit.RightPause:
		return Stopping
	}
	return Loosening
}

// RightsKnownFor is how long rights that Auth gave count for what cannot harm, when Auth cannot be asked.
const RightsKnownFor = 24 * time.Hour

// RightsConfig are the options of Rights.
type RightsConfig struct {
	Operators       []snowflake.ID
	TrustSuperusers bool
	Source          string           // under which reads of Auth are remembered and compared; AuthSource if empty
	Within          time.Duration    // how long Auth may take to answer; 2 s if zero
	Now             func() time.Time // time.Now if nil
}

// RightsRecords are the parts of storage that rights need.
type RightsRecords interface {
	storage.Grants
	storage.RightsMemory
	storage.Sources
	storage.Settings
}

// Rights says who may do what, from grants, operators and Auth as they are now.
type Rights struct {
	db   RightsRecords
	auth Auth
	cfg  RightsConfig
}

// NewRights makes the rights of every guild that has this Auth.
func NewRights(db RightsRecords, auth Auth, cfg RightsConfig) *Rights {
	if cfg.Source == "" {
		cfg.Source = AuthSource
	}
	if cfg.Within <= 0 {
		cfg.Within = 2 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Rights{db: db, auth: auth, cfg: cfg}
}

// Asker is who wants to do something in a guild, as Discord shows them.
type Asker struct {
	audit.Caller
	ManageServer bool // holds Discord's permission Manage Server
}

// Standing is one person's rights at one moment. They are read again when a button is pressed, and when the work is done.
type Standing struct {
	Asker   Asker
	At      time.Time
	Trouble error // why Auth cannot be asked; nil: it was

	now, then audit.Keys // then: with what Auth said when it could be asked last
	age       time.Duration
	remembers bool
}

// Of reads a person's rights in a guild. An Auth that cannot be asked is no error; a database that cannot be read is one.
func (r *Rights) Of(ctx context.Context, guild snowflake.ID, who Asker) (_ *Standing, err error) {
	defer wrap.Err(&err, "rights of %d in guild %d", who.Discord, guild)
	s := &Standing{Asker: who, At: r.cfg.Now().UTC().Truncate(time.Microsecond)}
	rows, err := r.db.Grants(ctx, guild)
	if err != nil {
		return nil, err
	}
	s.now = audit.Keys{At: s.At, Grants: grantedRights(rows), Operators: r.cfg.Operators, TrustSuperusers: r.cfg.TrustSuperusers}
	if s.now.Auth, s.Trouble, err = r.ask(ctx, guild, s.At); err != nil {
		return nil, err
	}
	s.then = s.now
	if s.Trouble == nil {
		return s, r.remember(ctx, guild, s)
	}
	return s, r.recall(ctx, guild, s)
}

// ErrAuthBlind means that Auth answered, and that nothing can be concluded from what it said.
var ErrAuthBlind = errors.New("what Auth says cannot be believed at all: tables are empty or lost")

// ask reads Auth. What is blind counts as not readable: who has no rights there may have had them before the tables were lost.
func (r *Rights) ask(ctx context.Context, guild snowflake.ID, at time.Time) (d *audit.Directory, trouble, err error) {
	brief, end := context.WithTimeout(ctx, r.cfg.Within)
	defer end()
	d, trouble = readCurrent(brief, r.auth)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if trouble != nil {
		return nil, trouble, nil
	}
	base, err := baseline(ctx, r.db, r.cfg.Source, d.Fingerprint, at)
	if err != nil {
		return nil, nil, err
	}
	t, err := thresholds(ctx, r.db, guild)
	if err != nil {
		return nil, nil, err
	}
	if audit.JudgeAuth(d.Counts, base, t).Health == audit.Blind {
		return nil, ErrAuthBlind, nil
	}
	return d, nil, nil
}

// Answer says whether somebody may do something, and if not, what is missing and who can give it.
type Answer struct {
	Right  audit.Right
	Deed   Deed
	Held   bool
	Ground audit.Entitlement // why, or why not
	Age    time.Duration     // how long ago Auth said what the answer rests on; zero: now, or it does not rest on Auth
	// AuthAway: it is refused because Auth cannot be asked, and may be held once it can be.
	AuthAway bool
	Givers   Givers
}

// Givers are those who can give a right to somebody.
type Givers struct {
	AuthAdmins bool           // Auth has the right under this name: its administrators can give it, through user, group or state
	Superusers bool           // superusers of Auth hold gatecamp.grant
	Operators  []snowflake.ID // named in GATECAMP_OPERATORS
	Holders    []snowflake.ID // Discord accounts with a grant of gatecamp.grant
}

// Ask says whether the person holds a right for what it is mostly for.
func (s *Standing) Ask(right audit.Right) Answer { return s.AskTo(DeedOf(right), right) }

// AskTo says whether the person holds a right for a deed. What loosens is refused to everybody while Auth cannot be asked. What only
// reads, stops, or keeps somebody out for a while then rests on what Auth said less than RightsKnownFor ago; grants to a Discord account, and operators, never rest on Auth.
func (s *Standing) AskTo(d Deed, right audit.Right) Answer {
	a := Answer{Right: right, Deed: d, Ground: s.now.Ask(s.Asker.Caller, right)}
	switch {
	case s.Trouble != nil && d == Loosening:
		a.AuthAway, a.Ground = true, audit.Entitlement{Ground: audit.AuthUnreadable}
	case a.Ground.Held():
		a.Held = true
	case d == Stopping && s.Asker.ManageServer:
		a.Held, a.Ground = true, audit.Entitlement{Ground: audit.ByManageServer}
	case s.Trouble != nil && d <= Stopping && s.remembers:
		if then := s.then.Ask(s.Asker.Caller, right); then.Held() {
			a.Held, a.Ground, a.Age = true, then, s.age
		}
	case s.Trouble != nil:
		a.AuthAway = true
	}
	if !a.Held {
		a.Givers = s.givers(right)
	}
	return a
}

// AskAny is the first of the rights that is held, else the answer for the first of them.
func (s *Standing) AskAny(d Deed, rights ...audit.Right) Answer {
	for _, r := range rights {
		if a := s.AskTo(d, r); a.Held {
			return a
		}
	}
	return s.AskTo(d, rights[0])
}

// Person is the asker as the operator tables know people: with every account and user that is theirs, as far as Auth says.
func (s *Standing) Person() Person {
	p := Person{Ref: memberRef(s.Asker.Discord), Discord: []snowflake.ID{s.Asker.Discord}}
	d := s.then.Auth
	if d == nil {
		return p
	}
	for _, i := range d.Linked(s.Asker.Discord) {
		p.Users = append(p.Users, d.Accounts[i].User)
	}
	return p
}

// mostHolders bounds how many people an answer names.
const mostHolders = 10

func (s *Standing) givers(right audit.Right) Givers {
	g := Givers{AuthAdmins: right.InAuth(), Superusers: s.now.TrustSuperusers, Operators: s.now.Operators}
	for _, x := range s.now.Grants {
		if x.Right == audit.RightGrant && x.Kind == audit.ToDiscord && audit.InForce(s.At, x.Until, false) && len(g.Holders) < mostHolders && !slices.Contains(g.Holders, x.To) {
			g.Holders = append(g.Holders, x.To)
		}
	}
	return g
}

func grantedRights(rows []storage.Grant) (all []audit.GrantedRight) {
	for _, g := range rows {
		right, known := audit.ParseRight(g.Right)
		kind, fits := audit.ParseGranteeKind(g.SubjectKind)
		if !known || !fits { // another version's
			continue
		}
		x := audit.GrantedRight{ID: g.ID, Right: right, Kind: kind, Name: g.Subject, Until: g.Expires}
		if kind == audit.ToDiscord || kind == audit.ToRole {
			id, err := snowflake.Parse(g.Subject)
			if err != nil {
				continue
			}
			x.To = id
		}
		all = append(all, x)
	}
	return all
}

// What is remembered of a person is what Auth said, not what followed from it: grants are asked again.
const (
	seenSuperuser  = "superuser"
	seenUser       = "user:"
	seenGroup      = "group:"
	seenState      = "state:"
	seenPermission = "permission:"
)

// notedEvery is how often what is remembered is written again though it says the same.
const notedEvery = time.Hour

// remember keeps what Auth says about the person, for when it cannot be asked.
func (r *Rights) remember(ctx context.Context, guild snowflake.ID, s *Standing) error {
	seen := storage.SeenRights{Guild: guild, Discord: s.Asker.Discord, At: s.At, Rights: []string{}}
	if a := s.now.User(s.Asker.Discord); a != nil {
		seen.User, seen.Rights = a.User, seenOf(s.now.Auth, a)
	}
	last, err := r.db.LastRights(ctx, guild, s.Asker.Discord)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		if seen.User == 0 { // of strangers there is nothing to remember
			return nil
		}
	case err != nil:
		return err
	case last.User == seen.User && slices.Equal(last.Rights, seen.Rights) && s.At.Sub(last.At) < notedEvery:
		return nil
	}
	return r.db.NoteRights(ctx, seen)
}

func seenOf(d *audit.Directory, a *audit.Account) []string {
	seen := []string{seenUser + a.Username}
	if a.Superuser {
		seen = append(seen, seenSuperuser)
	}
	if a.State >= 0 {
		seen = append(seen, seenState+d.StateName(a))
	}
	for _, g := range a.Groups {
		seen = append(seen, seenGroup+d.Groups[g])
	}
	for _, right := range audit.Rights() {
		if !a.Superuser && right.InAuth() && d.Holds(a, right.String()) {
			seen = append(seen, seenPermission+right.String())
		}
	}
	slices.Sort(seen)
	return seen
}

// recall takes what was seen last, if it is young enough, in the place of Auth.
func (r *Rights) recall(ctx context.Context, guild snowflake.ID, s *Standing) error {
	last, err := r.db.LastRights(ctx, guild, s.Asker.Discord)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.age = max(0, s.At.Sub(last.At))
	if last.User != 0 && s.age < RightsKnownFor {
		s.remembers, s.then.Auth = true, recalled(last)
	}
	return nil
}

// recalled is a directory of the one person, as Auth described them then.
func recalled(seen storage.SeenRights) *audit.Directory {
	d := &audit.Directory{}
	a := audit.Account{User: seen.User, Discord: seen.Discord, Active: true, State: -1}
	for _, text := range seen.Rights {
		if name, is := strings.CutPrefix(text, seenGroup); is {
			a.Groups = append(a.Groups, int32(len(d.Groups)))
			d.Groups = append(d.Groups, name)
		}
		if name, is := strings.CutPrefix(text, seenState); is {
			a.State, d.States = 0, []string{name}
		}
		if name, is := strings.CutPrefix(text, seenUser); is {
			a.Username = name
		}
		if name, is := strings.CutPrefix(text, seenPermission); is {
			d.Permissions = append(d.Permissions, name)
		}
		a.Superuser = a.Superuser || text == seenSuperuser
	}
	slices.Sort(d.Permissions)
	held := make(audit.Bits, (len(d.Permissions)+63)/64)
	for i := range d.Permissions {
		held.Set(i)
	}
	a.Grants = &held
	d.Accounts = []audit.Account{a}
	d.Index()
	return d
}
