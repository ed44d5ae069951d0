package audit

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Health is how far a source can be believed.
type Health int

// The verdicts, worst last.
const (
	Healthy  Health = iota // believed
	Doubtful               // categories stay, every action becomes report
	Blind                  // nothing is concluded: no finding opened or closed
)

func (h Health) String() string {
	switch h {
	case Healthy:
		return "healthy"
	case Doubtful:
		return "doubtful"
	case Blind:
		return "blind"
	}
	return "unknown"
}

// Fact is one thing about a read of Auth that its health is judged by. Most are rows of a table that could be read and joined.
type Fact int

// The facts. A name that another version wrote and this one does not know becomes NoFact, which no rule looks at.
const (
	NoFact              Fact = iota
	Reachable                // the source answered at all; made by JudgeAuth, never counted
	Users                    // auth_user
	Profiles                 // authentication_userprofile
	Links                    // discord_discorduser, with an id that can be one
	States                   // authentication_state
	Groups                   // auth_group
	ReservedNames            // groupmanagement_reservedgroupname: without them roles count as managed that Auth leaves alone
	Memberships              // auth_user_groups
	PermissionRows           // auth_permission
	ContentTypes             // django_content_type, those that a permission belongs to
	GroupPermissions         // auth_group_permissions
	StatePermissions         // authentication_state_permissions
	UserPermissions          // auth_user_user_permissions
	AccessHolders            // active users to whom a permission row gives AccessDiscord; superusers alone would hide a lost table
	Mains                    // users whose main character could be read
	UsersWithoutProfile      // users without a row in authentication_userprofile, or whose state does not exist
	Orphans                  // rows that point at a row which does not exist
	InvalidLinks             // rows of discord_discorduser whose id cannot be one
	Demoted                  // linked active users in the lowest state
	UnknownEdition           // 1: tables newer than this version knows
	GuildOverlap             // basis points of the linked ids that are in the guild; filled by who knows the guild
	BeatAge                  // seconds since Auth's scheduler last started an enabled task
	AffiliationsAge          // seconds since Auth last refreshed a character's corporation and alliance
	ClockSkew                // seconds between our clock and the database server's, or Discord's, without sign
	facts                    // number of facts
)

// names of the facts as storage, output and thresholds write them.
var factNames = [facts]string{
	NoFact: "unknown", Reachable: "reachable", Users: "users", Profiles: "profiles", Links: "links", States: "states", Groups: "groups", ReservedNames: "reserved_names",
	Memberships: "memberships", PermissionRows: "permissions", ContentTypes: "content_types", GroupPermissions: "group_permissions",
	StatePermissions: "state_permissions", UserPermissions: "user_permissions", AccessHolders: "access_holders", Mains: "mains",
	UsersWithoutProfile: "users_without_profile", Orphans: "orphans", InvalidLinks: "invalid_links", Demoted: "demoted",
	UnknownEdition: "unknown_edition", GuildOverlap: "guild_overlap", BeatAge: "beat_age", AffiliationsAge: "affiliations_age",
	ClockSkew: "clock_skew",
}

func (f Fact) String() string {
	if f < 0 || f >= facts {
		return factNames[NoFact]
	}
	return factNames[f]
}

// MarshalText makes a fact the key of a JSON object.
func (f Fact) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what MarshalText wrote, here or in another version.
func (f *Fact) UnmarshalText(text []byte) error {
	*f, _ = ParseFact(string(text))
	return nil
}

// ParseFact finds a fact by its name.
func ParseFact(name string) (Fact, bool) {
	i := slices.Index(factNames[:], name)
	if i <= int(NoFact) {
		return NoFact, false
	}
	return Fact(i), true
}

// AllFacts lists the facts in the order in which a person reads them.
func AllFacts() []Fact {
	all := make([]Fact, 0, facts)
	for f := Reachable; f < facts; f++ {
		all = append(all, f)
	}
	return all
}

// Unit is what a fact, and its threshold, is counted in.
type Unit int

// The units.
const (
	Rows        Unit = iota
	BasisPoints      // 1/10,000
	Seconds
)

func (u Unit) String() string {
	switch u {
	case Rows:
		return "rows"
	case BasisPoints:
		return "basis points"
	case Seconds:
		return "seconds"
	}
	return "unknown"
}

// rule is how a fact is judged. A fact without one is shown and never judged.
type rule int

const (
	unjudged rule = iota
	loss          // against the baseline: may shrink by Thresholds' share (basis points) or its slack, whichever is more
	growth        // against the baseline: may grow by Thresholds' figure (rows)
	demotion      // against the baseline: may grow by Thresholds' share of the links (basis points) or its slack
	atLeast       // always, if known: at least Thresholds' figure
	atMost        // always, if known: at most Thresholds' figure
)

// judged says by which rule each fact goes, which minimum it has on first contact, and whether a table that was filled may be empty.
// Emptiness of needed tables, and the four minima of first contact, make the source blind: with them gone nothing that is read means
// anything (a restore in progress, a truncated table, a fresh migrate). All else makes it doubtful.
var judged = [facts]struct {
	rule   rule
	unit   Unit
	needed bool // empty where the baseline was not: blind
	must   bool // below one, baseline or not: blind
	later  bool // not judged on first contact, which asks for nothing else
}{
	Users:               {rule: loss, must: true},
	Profiles:            {rule: loss, needed: true},
	Links:               {rule: loss, must: true},
	States:              {rule: loss, must: true},
	Groups:              {rule: loss, needed: true},
	ReservedNames:       {rule: loss},
	Memberships:         {rule: loss, needed: true},
	PermissionRows:      {rule: loss, needed: true},
	ContentTypes:        {rule: loss, needed: true},
	GroupPermissions:    {rule: loss, needed: true},
	StatePermissions:    {rule: loss, needed: true},
	UserPermissions:     {rule: loss},
	AccessHolders:       {rule: loss, must: true},
	Mains:               {rule: loss},
	UsersWithoutProfile: {rule: growth},
	Orphans:             {rule: growth},
	InvalidLinks:        {rule: growth},
	Demoted:             {rule: demotion},
	UnknownEdition:      {rule: atMost},
	GuildOverlap:        {rule: atLeast, unit: BasisPoints},
	BeatAge:             {rule: atMost, unit: Seconds, later: true},
	AffiliationsAge:     {rule: atMost, unit: Seconds, later: true},
	ClockSkew:           {rule: atMost, unit: Seconds, later: true},
}

// Unit is what the fact is counted in.
func (f Fact) Unit() Unit {
	if f < 0 || f >= facts {
		return Rows
	}
	return judged[f].unit
}

// Ceiling reports whether more of the fact is worse: then a reason's Want is the most, else the least that is accepted.
func (f Fact) Ceiling() bool {
	if f < 0 || f >= facts {
		return false
	}
	r := judged[f].rule
	return r == growth || r == demotion || r == atMost
}

// Counts are the facts of one read of Auth. A fact that is not in it is unknown; nil means that Auth could not be read.
// As JSON it is an object with the facts' names.
type Counts map[Fact]int64

// CountFacts counts what a Directory itself shows: users, links, states, groups, holders of access, mains, users without a profile, the
// demoted, the edition. Who reads tables adds what only they show.
func CountFacts(d *Directory) Counts {
	c := Counts{Users: int64(len(d.Accounts)), States: int64(len(d.States)), Groups: int64(len(d.Groups)), ReservedNames: int64(len(d.Reserved)), UnknownEdition: 0}
	if d.Edition == "unknown" {
		c[UnknownEdition] = 1
	}
	access, granted := slices.BinarySearch(d.Permissions, AccessDiscord)
	var links, holders, mains, bare, demoted int64
	for i := range d.Accounts {
		a := &d.Accounts[i]
		if a.Discord != 0 {
			links++
			if a.Active && int(a.State) == len(d.States)-1 {
				demoted++
			}
		}
		if a.Active && granted && a.Grants.Has(access) {
			holders++
		}
		if a.Main.Name != "" {
			mains++
		}
		if a.State < 0 {
			bare++
		}
	}
	c[Links], c[AccessHolders], c[Mains], c[UsersWithoutProfile], c[Demoted] = links, holders, mains, bare, demoted
	return c
}

// Thresholds are the figures of JudgeAuth: all whole numbers, all settable by name.
type Thresholds struct {
	slack   int64 // rows that may go, or change, whatever share they are: small guilds lose a third of everything with one person
	figures [facts]int64
}

// DefaultThresholds are those of docs/auth.md.
func DefaultThresholds() Thresholds {
	t := Thresholds{slack: 2}
	for f, j := range judged {
		if j.rule == loss {
			t.figures[f] = 2_000
		}
	}
	t.figures[AccessHolders] = 1_000
	t.figures[Mains] = 500
	t.figures[UsersWithoutProfile] = 5
	t.figures[Demoted] = 1_000
	t.figures[GuildOverlap] = 5_000
	t.figures[BeatAge] = 2 * 60 * 60
	t.figures[AffiliationsAge] = 13 * 60 * 60
	t.figures[ClockSkew] = 5 * 60
	return t
}

// slackName is the one threshold that belongs to no fact.
const slackName = "slack"

// Threshold is one figure by its name.
type Threshold struct {
	Name  string
	Value int64
	Most  int64 // the largest value that Set takes
	Unit  Unit
}

// All lists the thresholds in a stable order.
func (t Thresholds) All() []Threshold {
	all := []Threshold{{Name: slackName, Value: t.slack, Most: maxRows, Unit: Rows}}
	for _, f := range AllFacts() {
		if unit, most, ok := f.threshold(); ok {
			all = append(all, Threshold{Name: f.String(), Value: t.figures[f], Most: most, Unit: unit})
		}
	}
	return all
}

// The largest figures that make sense: beyond them a rule would never fire.
const (
	maxRows    = 1_000_000
	maxSeconds = 366 * 24 * 60 * 60
)

// threshold is the unit and the largest value of the fact's figure; false: the fact has none that can be set.
func (f Fact) threshold() (unit Unit, most int64, ok bool) {
	switch judged[f].rule {
	case loss, demotion:
		return BasisPoints, 10_000, true
	case growth:
		return Rows, maxRows, true
	case atLeast:
		return BasisPoints, 10_000, true
	case atMost:
		// An unknown edition is report only, whatever anybody sets.
		return Seconds, maxSeconds, f != UnknownEdition
	case unjudged:
	}
	return Rows, 0, false
}

// With is the thresholds with one of them set. The error says which names and values there are.
func (t Thresholds) With(name string, value int64) (Thresholds, error) {
	for _, known := range t.All() {
		if known.Name != name {
			continue
		}
		if value < 0 || value > known.Most {
			return t, fmt.Errorf("threshold %s takes a whole number from 0 to %d (%s), not %d", name, known.Most, known.Unit, value)
		}
		if f, ok := ParseFact(name); ok {
			t.figures[f] = value
		} else {
			t.slack = value
		}
		return t, nil
	}
	return t, fmt.Errorf("no threshold %q; there are %s", name, t.names())
}

func (t Thresholds) names() (list string) {
	for i, known := range t.All() {
		if i > 0 {
			list += ", "
		}
		list += known.Name
	}
	return list
}

// Reading is one earlier read of a source, as storage keeps it.
type Reading struct {
	At       time.Time
	Health   Health
	Accepted bool // a person said that exactly these counts are right, whatever the verdict was
	Counts   Counts
}

// BaselineWindow is how far back healthy readings count.
const BaselineWindow = 7 * 24 * time.Hour

// Baseline is what a source is compared with: per fact the highest count of the healthy readings of the BaselineWindow before the
// newest of them; nil without any. It ends at the newest healthy reading and not today, so that an outage longer than the window
// never turns into a first contact. An accepted reading replaces all that was before it. The order of the readings is irrelevant.
func Baseline(readings []Reading) Counts {
	var newest, accepted *Reading
	for i := range readings {
		r := &readings[i]
		if !r.counts() {
			continue
		}
		if newest == nil || r.At.After(newest.At) {
			newest = r
		}
		if r.Accepted && (accepted == nil || r.At.After(accepted.At)) {
			accepted = r
		}
	}
	if newest == nil {
		return nil
	}
	base := Counts{}
	for i := range readings {
		r := &readings[i]
		if r.counts() && newest.At.Sub(r.At) <= BaselineWindow && (accepted == nil || !r.At.Before(accepted.At)) {
			base = base.Highest(r.Counts)
		}
	}
	return base
}

// counts reports whether the reading is part of a baseline at all.
func (r *Reading) counts() bool { return r.Counts != nil && (r.Accepted || r.Health == Healthy) }

// Accept is the reading that a person's acceptance of the counts leaves behind: they are the baseline from then on.
func Accept(now Counts, at time.Time) Reading {
	return Reading{At: at, Health: Healthy, Accepted: true, Counts: now.Highest(nil)}
}

// Highest is a new Counts with the higher of both for each fact: several readings can be kept as one.
func (c Counts) Highest(other Counts) Counts {
	sum := make(Counts, max(len(c), len(other)))
	maps.Copy(sum, c)
	for f, n := range other {
		if old, ok := sum[f]; !ok || n > old {
			sum[f] = n
		}
	}
	return sum
}

// Verdict is how far a source can be believed, and why not further.
type Verdict struct {
	Health  Health
	Reasons []HealthReason // worst first, then in the order of Facts; none for Healthy
}

// HealthReason is one fact that speaks against a source.
type HealthReason struct {
	Fact   Fact
	Now    int64 // Unknown: the source no longer says
	Want   int64 // the least that is accepted, or the most, if Fact.Ceiling
	Health Health
}

// Unknown stands for a figure that a source no longer gives.
const Unknown int64 = -1

// JudgeAuth compares what Auth looks like now with the baseline. A nil now means that Auth could not be read: blind. A nil baseline is
// the first contact, which asks for at least one user, link, state and holder of access, for half of the linked ids in the guild
// (where that is known) and for an edition that we know; nothing else.
func JudgeAuth(now, baseline Counts, t Thresholds) Verdict {
	if now == nil {
		return Verdict{Health: Blind, Reasons: []HealthReason{{Fact: Reachable, Now: 0, Want: 1, Health: Blind}}}
	}
	var v Verdict
	for _, f := range AllFacts() {
		if want, h := t.judge(f, now, baseline); h != Healthy {
			n, known := now[f]
			if !known {
				n = Unknown
			}
			v.Reasons = append(v.Reasons, HealthReason{Fact: f, Now: n, Want: want, Health: h})
			v.Health = max(v.Health, h)
		}
	}
	slices.SortStableFunc(v.Reasons, func(a, b HealthReason) int { return int(b.Health) - int(a.Health) })
	return v
}

// judge is one fact's verdict, and what would have been accepted.
func (t Thresholds) judge(f Fact, now, baseline Counts) (want int64, _ Health) {
	j := judged[f]
	n, known := now[f]
	base, had := baseline[f]
	n, base = max(0, n), max(0, base)
	least := t.least(f, base)
	if j.must || j.needed && base > 0 {
		if least = max(1, least); n < 1 {
			return least, Blind
		}
	}
	switch j.rule {
	case unjudged:
	case loss:
		if want = least; n < want {
			return want, Doubtful
		}
	case growth:
		if want = add(base, t.figures[f]); known && had && n > want {
			return want, Doubtful
		}
	case demotion:
		if want = add(base, max(t.slack, share(max(0, now[Links]), t.figures[f]))); known && had && n > want {
			return want, Doubtful
		}
	case atLeast:
		if want = t.figures[f]; known && n < want {
			return want, Doubtful
		}
	case atMost:
		if want = t.figures[f]; known && n > want && (baseline != nil || !j.later) {
			return want, Doubtful
		}
	}
	// What the source once said and no longer says is not the same as good news. The guild's overlap is not Auth's to say, and clocks
	// are compared with Discord's where it has said what time it is.
	if had && !known && f != GuildOverlap && f != ClockSkew && j.rule != unjudged && j.rule != loss {
		return want, Doubtful
	}
	return want, Healthy
}

// least is the smallest count of a loss fact that is no drop from base.
func (t Thresholds) least(f Fact, base int64) int64 {
	return max(0, base-max(t.slack, share(base, t.figures[f])))
}

// share is basis points of n, rounded down, without overflow for n >= 0 and 0 to 10,000 basis points.
func share(n, basisPoints int64) int64 {
	return n/10_000*basisPoints + n%10_000*basisPoints/10_000
}

// add is a+b for non-negative numbers, or the largest number there is.
func add(a, b int64) int64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return 1<<63 - 1
}
