package reconcile

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Look is everything that was gathered for one decision or many: the scene, what the guild wants, and how the sources stand.
type Look struct {
	At            time.Time
	Picture       Picture
	Scene         *audit.Scene
	Policy        audit.Policy
	PolicyVersion int64
	Verdict       audit.Verdict // of Auth
	AuthError     error         // why Auth could not be read; nil if it could

	whole     *audit.Directory // all of Auth, also where the scene knows a part of it; nil: it could not be read
	overrides map[snowflake.ID]storage.Exception
	of        []snowflake.ID            // whom it is about; nil: anybody
	changed   []storage.AccountRevision // of the last RowFresh, for a second look
	subjects  *audit.Subjects           // over all of Auth, of a remembered look; nil: those of Scene
}

// Wish narrows what a look goes by; the zero value is the present policy and the overrides in force.
type Wish struct {
	Act           audit.Act           // the run's own action; None: the policy decides
	Policy        *audit.Policy       // instead of the newest stored one
	PolicyVersion int64               // of Policy; 0: not a stored one
	Overrides     []storage.Exception // instead of those in force; nil: those in force
	Again         bool                // a second look, right before a write: what is read of Auth is judged and not noted down
	Of            []snowflake.ID      // only these members will be decided about; nil: any
}

// Auth is all that was read of Auth, also where the scene knows a part of it; nil if it could not be read.
func (l *Look) Auth() *audit.Directory { return l.whole }

// Look gathers facts: Auth, its health, the operator's tables, bindings, policy. It decides nothing and writes only what it read of Auth.
func (e *Engine) Look(ctx context.Context, pic Picture, w Wish) (_ *Look, err error) {
	defer wrap.Err(&err, "look at guild %d", e.cfg.Guild)
	g, err := e.gather(ctx, w)
	if err != nil {
		return nil, err
	}
	return e.compose(ctx, pic, w, g)
}

// gathered is what a look needs besides the guild.
type gathered struct {
	at        time.Time
	directory *audit.Directory // nil: authError
	authError error
	rows      *rows
}

// gather asks Auth and the database side by side. Auth that cannot be read is blind, not an error.
func (e *Engine) gather(ctx context.Context, w Wish) (*gathered, error) {
	g := &gathered{at: e.now()}
	var sides errgroup.Group
	sides.Go(func() error {
		// The whole guild is looked at on the strength of a whole read; for few members what is proven to be unchanged is enough.
		if w.Of == nil {
			g.directory, g.authError = e.auth.Read(ctx)
		} else {
			g.directory, g.authError = e.askAuth(ctx)
		}
		return nil
	})
	var err error
	g.rows, err = e.readRows(ctx, g.at, w)
	_ = sides.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	return g, nil
}

// compose makes a look of what was gathered and the guild.
func (e *Engine) compose(ctx context.Context, pic Picture, w Wish, g *gathered) (_ *Look, err error) {
	l := &Look{At: g.at, Picture: pic, AuthError: g.authError, changed: g.rows.changed, of: w.Of, overrides: map[snowflake.ID]storage.Exception{}}
	if l.Policy, l.PolicyVersion, err = e.policyOf(g.rows, w); err != nil {
		return nil, err
	}
	s := audit.Subjects{At: pic.truth(l.At), Guild: pic.Guild, OpensNow: true, Ordered: w.Act, PrivilegedRoles: l.Policy.PrivilegedRoles}
	if before := e.seen.Load(); before != nil {
		s.Before = before.Scene
	}
	if err := e.judge(ctx, l, g, w); err != nil {
		return nil, err
	}
	s.AuthHealth, s.Auth = l.Verdict.Health, l.whole
	if l.whole != nil { // identities of ours are added to it; a source may hand out the same directory twice
		l.whole = l.whole.WithIdentities(g.rows.identities())
		s.Auth = l.whole
	}
	for _, b := range g.rows.bindings {
		s.Bindings = append(s.Bindings, auditBinding(b))
	}
	for _, x := range g.rows.exceptions(l.At, w) {
		l.add(&s, x)
	}
	s.OpenedLost, s.OpenedSurplus = g.rows.openedLost, g.rows.openedSurplus
	e.enforce(&s, l, g.rows)
	if w.Of == nil || l.whole == nil {
		l.Scene = audit.NewScene(s)
		e.keep(l, nil)
		return l, nil
	}
	part := s
	part.Auth = s.Auth.Part(w.Of)
	l.Scene, s.Before = audit.NewScene(part), nil
	e.keep(l, &s)
	return l, nil
}

// add puts one row of an operator table where the scene looks for it.
func (l *Look) add(s *audit.Subjects, x storage.Exception) {
	switch x.Table {
	case storage.Exemptions:
		s.Exempt = append(s.Exempt, x.Subject)
	case storage.Protections:
		s.Protected = append(s.Protected, x.Subject)
	case storage.BotAccounts:
		s.Bots = append(s.Bots, x.Subject)
	case storage.Overrides:
		if act, ok := audit.ParseAct(x.Action); ok {
			s.Overrides = append(s.Overrides, audit.Override{Member: x.Subject, Act: act, Until: x.Expires, SingleUse: x.SingleUse})
			l.overrides[x.Subject] = x
		}
	case storage.Identities: // with Auth's own
	}
}

// sources is how the sources stood, as a run remembers it.
type sources struct {
	Auth struct {
		Health      string   `json:"health"`
		Reasons     []string `json:"reasons,omitempty"`
		Edition     string   `json:"edition,omitempty"`
		Fingerprint string   `json:"fingerprint,omitempty"`
	} `json:"auth"`
	Roster struct {
		Complete bool         `json:"complete"`
		Live     bool         `json:"live"`
		Members  int          `json:"members"`
		Bot      snowflake.ID `json:"bot,omitempty"`
	} `json:"roster"`
}

func (l *Look) sources() json.RawMessage {
	var s sources
	s.Auth.Health, s.Auth.Reasons = l.Verdict.Health.String(), reasonCodes(l.Verdict)
	s.Auth.Edition, s.Auth.Fingerprint = l.Scene.Auth.Edition, l.Scene.Auth.Fingerprint
	s.Roster.Complete, s.Roster.Live, s.Roster.Members = l.Picture.Complete, l.Picture.Live, len(l.Picture.Members)
	s.Roster.Bot = l.Picture.Guild.Bot
	return encode(s)
}

func reasonCodes(v audit.Verdict) []string {
	var codes []string
	for _, r := range v.Reasons {
		codes = append(codes, r.Fact.String())
	}
	return codes
}

func identitySource(name string) audit.IdentitySource {
	if name == audit.Operator.String() {
		return audit.Operator
	}
	return audit.Historical
}

func auditBinding(b storage.Binding) audit.Binding {
	switch b.Kind {
	case storage.BoundGroup:
		return audit.Binding{Role: b.Role, Kind: audit.ToGroup, Name: b.Name}
	case storage.BoundState:
		return audit.Binding{Role: b.Role, Kind: audit.ToState, Name: b.Name}
	}
	return audit.Binding{Role: b.Role, Kind: audit.Guarded, Name: b.RoleName}
}

func factCounts(stored map[string]int64) audit.Counts {
	c := audit.Counts{}
	for name, n := range stored {
		if f, ok := audit.ParseFact(name); ok {
			c[f] = n
		}
	}
	return c
}

func storedCounts(c audit.Counts) map[string]int64 {
	stored := make(map[string]int64, len(c))
	for f, n := range c {
		stored[f.String()] = n
	}
	return stored
}

// encode makes JSON of a value that can always be encoded.
func encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of ours that JSON cannot hold: a bug
	}
	return data
}
