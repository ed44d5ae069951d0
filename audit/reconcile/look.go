package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

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

	overrides map[snowflake.ID]storage.Exception
}

// Wish narrows what a look goes by; the zero value is the present policy and the overrides in force.
type Wish struct {
	Act           audit.Act           // the run's own action; None: the policy decides
	Policy        *audit.Policy       // instead of the newest stored one
	PolicyVersion int64               // of Policy; 0: not a stored one
	Overrides     []storage.Exception // instead of those in force; nil: those in force
	Again         bool                // a second look, right before a write: what is read of Auth is judged and not noted down
}

// Look gathers facts: Auth, its health, the operator's tables, bindings, policy. It decides nothing and writes only what it read of Auth.
func (e *Engine) Look(ctx context.Context, pic Picture, w Wish) (_ *Look, err error) {
	defer wrap.Err(&err, "look at guild %d", e.cfg.Guild)
	l := &Look{At: e.now(), Picture: pic, overrides: map[snowflake.ID]storage.Exception{}}
	if err := e.readPolicy(ctx, l, w); err != nil {
		return nil, err
	}
	s := audit.Subjects{At: pic.truth(l.At), Guild: pic.Guild, OpensNow: true, Ordered: w.Act, PrivilegedRoles: l.Policy.PrivilegedRoles}
	if s.Auth, err = e.readAuth(ctx, l, w.Again); err != nil {
		return nil, err
	}
	s.AuthHealth = l.Verdict.Health
	if err := e.readTables(ctx, l, &s, w); err != nil {
		return nil, err
	}
	if err := e.readOpened(ctx, &s); err != nil {
		return nil, err
	}
	l.Scene = audit.NewScene(s)
	e.keep(l)
	return l, nil
}

func (e *Engine) readPolicy(ctx context.Context, l *Look, w Wish) (err error) {
	if w.Policy != nil {
		l.Policy, l.PolicyVersion = *w.Policy, w.PolicyVersion
		return nil
	}
	l.Policy, l.PolicyVersion, err = e.Policy(ctx, 0)
	return err
}

// readAuth reads Auth and judges it against what is normal. Auth that cannot be read is blind, not an error.
func (e *Engine) readAuth(ctx context.Context, l *Look, again bool) (*audit.Directory, error) {
	d, err := e.auth.Read(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		l.AuthError, l.Verdict = err, audit.JudgeAuth(nil, nil, audit.DefaultThresholds())
		return nil, nil //nolint:nilerr // an Auth that cannot be read is a verdict, and the look goes on with it
	}
	counts := audit.Counts{}
	maps.Copy(counts, d.Counts)
	if share, known := overlap(d, l.Picture); known {
		counts[audit.GuildOverlap] = share
	}
	baseline, err := baseline(ctx, e.db, e.cfg.Source, d.Fingerprint, l.At)
	if err != nil {
		return nil, err
	}
	thresholds, err := e.Thresholds(ctx)
	if err != nil {
		return nil, err
	}
	l.Verdict = audit.JudgeAuth(counts, baseline, thresholds)
	own := *d // identities of ours are added to it; a source may hand out the same directory twice
	own.Identities = slices.Clone(d.Identities)
	if again {
		return &own, nil
	}
	return &own, e.noteRead(ctx, d, counts, l, baseline != nil)
}

// overlap is how many of the linked ids are in the guild, in basis points. A part of the guild says nothing about it.
func overlap(d *audit.Directory, pic Picture) (share int64, known bool) {
	if !pic.Complete {
		return 0, false
	}
	var linked, present int64
	for _, a := range d.Accounts {
		if a.Discord != 0 {
			linked++
		}
	}
	for _, m := range pic.Members {
		present += int64(len(d.Linked(m.ID)))
	}
	if linked == 0 {
		return 0, false
	}
	return present * 10_000 / linked, true
}

// baseline is what this Auth normally looks like. Another Auth than last time is met for the first time, and finds the lock armed.
func baseline(ctx context.Context, db storage.Sources, source, fingerprint string, at time.Time) (audit.Counts, error) {
	last, err := db.LastRead(ctx, source)
	// An Auth without users has no fingerprint. That is an outage, not another Auth: what comes back is compared with what was.
	other := last.Fingerprint != fingerprint && last.Fingerprint != "" && fingerprint != ""
	if errors.Is(err, storage.ErrNotFound) || err == nil && other {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := db.Baseline(ctx, source, at)
	if err != nil || b.Counts == nil {
		return nil, err
	}
	return factCounts(b.Counts), nil
}

// noteRead remembers what Auth looked like, and whom it no longer links: whose account that was is known from then on. Another Auth
// than last time says nothing about the people of the one before, and one that is blind nothing about anybody.
func (e *Engine) noteRead(ctx context.Context, d *audit.Directory, counts audit.Counts, l *Look, met bool) error {
	r := storage.SourceRead{
		Source: e.cfg.Source, Fingerprint: d.Fingerprint, Edition: d.Edition, At: l.At, Verdict: l.Verdict.Health.String(),
		Reasons: reasonCodes(l.Verdict), Counts: storedCounts(counts),
	}
	if e.cfg.Source == AuthSource { // whose account changed is a question to Auth itself, not to files
		r.Accounts = make([]storage.AccountRevision, len(d.Accounts))
		for i, a := range d.Accounts {
			r.Accounts[i] = storage.AccountRevision{User: a.User, Discord: a.Discord, Revision: a.Revision}
		}
	}
	differ, err := e.db.NoteRead(ctx, r)
	if errors.Is(err, storage.ErrConflict) { // somebody else has noted a newer read
		return nil
	}
	if err != nil || !met || l.Verdict.Health == audit.Blind {
		return err
	}
	var unlinked []storage.Exception
	for _, a := range differ {
		if a.Was != 0 {
			unlinked = append(unlinked, storage.Exception{Subject: a.Was, User: a.User})
		}
	}
	return e.remember(ctx, unlinked, l.At)
}

// remember notes earlier accounts in every guild: a source belongs to none, and only one engine is told that its accounts changed.
func (e *Engine) remember(ctx context.Context, seen []storage.Exception, at time.Time) error {
	if len(seen) == 0 {
		return nil
	}
	guilds, err := e.db.Guilds(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(guilds, e.cfg.Guild) {
		guilds = append(guilds, e.cfg.Guild)
	}
	for _, guild := range guilds {
		if _, err := e.db.NoteIdentities(ctx, guild, seen, at); err != nil {
			return err
		}
	}
	return nil
}

// Thresholds are the figures that Auth's health is judged by: the defaults, and what the guild has set as "health.NAME".
func (e *Engine) Thresholds(ctx context.Context) (t audit.Thresholds, err error) {
	return thresholds(ctx, e.db, e.cfg.Guild)
}

func thresholds(ctx context.Context, db storage.Settings, guild snowflake.ID) (t audit.Thresholds, err error) {
	t = audit.DefaultThresholds()
	settings, err := db.Settings(ctx, guild)
	if err != nil {
		return t, err
	}
	for name, text := range settings {
		fact, is := strings.CutPrefix(name, HealthSetting)
		if !is {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return t, err
		}
		if t, err = t.With(fact, n); err != nil {
			return t, err
		}
	}
	return t, nil
}

// HealthSetting is what the names of stored thresholds begin with.
const HealthSetting = "health."

func (e *Engine) readTables(ctx context.Context, l *Look, s *audit.Subjects, w Wish) error {
	bindings, err := e.db.Bindings(ctx, e.cfg.Guild)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		s.Bindings = append(s.Bindings, auditBinding(b))
	}
	rows, err := e.db.ExceptionsAt(ctx, e.cfg.Guild, l.At)
	if err != nil {
		return err
	}
	if w.Overrides != nil {
		rows = slices.DeleteFunc(rows, func(x storage.Exception) bool { return x.Table == storage.Overrides })
		for _, x := range w.Overrides {
			if x.InForce(l.At) { // a run that is resumed may find that its time is over
				rows = append(rows, x)
			}
		}
	}
	for _, x := range rows {
		l.add(s, x)
	}
	return nil
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
	case storage.Identities:
		if s.Auth != nil {
			s.Auth.Identities = append(s.Auth.Identities, audit.Identity{Discord: x.Subject, User: x.User, Source: identitySource(x.Source)})
		}
	}
}

// readOpened fetches since when findings have been open that grace is counted from.
func (e *Engine) readOpened(ctx context.Context, s *audit.Subjects) error {
	for category, into := range map[audit.Category]*map[snowflake.ID]time.Time{
		audit.LinkedNoPerm: &s.OpenedLost, audit.SurplusRoles: &s.OpenedSurplus,
	} {
		*into = map[snowflake.ID]time.Time{}
		err := eachFinding(ctx, e.db, e.cfg.Guild, storage.FindingFilter{Category: category.String()}, func(f storage.Finding) {
			if f.SubjectKind == storage.SubjectMember {
				(*into)[f.Subject] = f.Opened
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachFinding reads all pages of a list.
func eachFinding(ctx context.Context, db storage.Findings, guild snowflake.ID, filter storage.FindingFilter, visit func(storage.Finding)) error {
	const page = 5_000
	for {
		filter.Page.Limit = page
		list, err := db.Findings(ctx, guild, filter)
		if err != nil {
			return err
		}
		for _, f := range list {
			visit(f)
		}
		if len(list) < page {
			return nil
		}
		filter.Page.Before = list[len(list)-1].ID
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
