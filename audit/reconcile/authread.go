package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// kept is what one look leaves for the next. All of it is proven to be current before it is used again.
type kept struct {
	mu            sync.Mutex
	policy        audit.Policy
	policyVersion int64

	links   []snowflake.ID // of Auth's version linked
	linked  string
	overlap int64 // of the version and of the members, both by name
	between string

	failure error     // of an Auth that kept somebody waiting
	silent  time.Time // until when it is not asked by live looks; by the machine's clock

	returns map[snowflake.ID]int // how many returns of a blocked member were told of

	noted   string // version of Auth that was noted down last
	sum     string // of it
	verdict audit.Health
	at      time.Time
}

// silence is how long an Auth that kept somebody waiting for nothing is not asked by live looks.
const silence = 5 * time.Second

// askAuth reads Auth for a look at few members. One that kept somebody waiting for nothing is not waited for again at once: events would
// queue up behind it. Not asking is blind, which permits nothing.
func (e *Engine) askAuth(ctx context.Context) (*audit.Directory, error) {
	began := time.Now()
	e.kept.mu.Lock()
	failure, until := e.kept.failure, e.kept.silent
	e.kept.mu.Unlock()
	if began.Before(until) {
		return nil, failure
	}
	d, err := readCurrent(ctx, e.auth)
	if took := time.Since(began); err != nil && ctx.Err() == nil && took > e.cfg.Patience {
		e.kept.mu.Lock()
		e.kept.failure, e.kept.silent = err, time.Now().Add(silence)
		e.kept.mu.Unlock()
	}
	return d, err
}

// judge holds what was read of Auth against what is normal, and notes the read down unless this is a second look.
func (e *Engine) judge(ctx context.Context, l *Look, g *gathered, w Wish) error {
	if g.authError != nil {
		l.Verdict = audit.JudgeAuth(nil, nil, audit.DefaultThresholds())
		return nil //nolint:nilerr // an Auth that cannot be read is a verdict, and the look goes on with it
	}
	l.whole = g.directory
	counts := audit.Counts{}
	maps.Copy(counts, g.directory.Counts)
	if share, known := e.overlap(g.directory, l.Picture); known {
		counts[audit.GuildOverlap] = share
	}
	if clock := l.Picture.Clock; !clock.IsZero() {
		// A clock of ours that jumped would end every grace, or none: Discord's is asked as well as the database's.
		counts[audit.ClockSkew] = max(counts[audit.ClockSkew], int64(l.At.Sub(clock).Abs()/time.Second))
	}
	base := g.rows.baseline(g.directory.Fingerprint)
	l.Verdict = audit.JudgeAuth(counts, base, g.rows.thresholds)
	if w.Again || w.Of != nil && e.isNoted(g.directory, l) {
		return nil
	}
	return e.noteRead(ctx, g.directory, counts, l, base != nil)
}

// notedFor is how long an unchanged Auth need not be noted down again by live looks.
const notedFor = 10 * time.Minute

func (e *Engine) isNoted(d *audit.Directory, l *Look) bool {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	return d.Version != "" && d.Version == e.kept.noted && l.Verdict.Health == e.kept.verdict && l.At.Sub(e.kept.at) < notedFor
}

// overlap is how many of the linked ids are in the guild, in basis points. A part of the guild says nothing about it.
func (e *Engine) overlap(d *audit.Directory, pic Picture) (share int64, known bool) {
	if !pic.Complete {
		return 0, false
	}
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	k := &e.kept
	if d.Version == "" || k.linked != d.Version {
		k.links, k.linked, k.between = k.links[:0], d.Version, ""
		for i := range d.Accounts {
			if id := d.Accounts[i].Discord; id != 0 {
				k.links = append(k.links, id)
			}
		}
	}
	if len(k.links) == 0 {
		return 0, false
	}
	between := fmt.Sprintf("%s %d %d", d.Version, pic.At.UnixNano(), len(pic.Members))
	if pic.Heads != nil {
		between = fmt.Sprintf("%s revision %d", d.Version, pic.Heads.Revision)
	}
	if d.Version == "" || k.between != between {
		k.overlap, k.between = int64(pic.present(d, k.links))*10_000/int64(len(k.links)), between
	}
	return k.overlap, true
}

// present counts how many of Auth's links lead to a member.
func (p Picture) present(d *audit.Directory, links []snowflake.ID) (n int) {
	if p.Heads != nil {
		return p.Heads.Present(links)
	}
	for _, m := range p.Members {
		n += len(d.Linked(m.ID))
	}
	return n
}

// normal reads the newest read of a source, and what its counts are compared with.
func normal(ctx context.Context, db storage.Sources, source string, at time.Time) (last storage.SourceRead, counts audit.Counts, err error) {
	last, err = db.LastRead(ctx, source)
	if errors.Is(err, storage.ErrNotFound) {
		return last, nil, nil
	}
	if err != nil {
		return last, nil, err
	}
	b, err := db.Baseline(ctx, source, at)
	if err != nil || b.Counts == nil {
		return last, nil, err
	}
	return last, factCounts(b.Counts), nil
}

// baseline is what an Auth of this fingerprint normally looks like. Another Auth than last time is met for the first time, and finds
// the lock armed.
func (r *rows) baseline(fingerprint string) audit.Counts {
	return baselineOf(r.last, r.normal, fingerprint)
}

func baselineOf(last storage.SourceRead, normal audit.Counts, fingerprint string) audit.Counts {
	// An Auth without users has no fingerprint. That is an outage, not another Auth: what comes back is compared with what was.
	if last.Fingerprint != fingerprint && last.Fingerprint != "" && fingerprint != "" {
		return nil
	}
	return normal
}

func baseline(ctx context.Context, db storage.Sources, source, fingerprint string, at time.Time) (audit.Counts, error) {
	last, counts, err := normal(ctx, db, source, at)
	return baselineOf(last, counts, fingerprint), err
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
	if err != nil {
		return err
	}
	e.isNow(d, l)
	if !met || l.Verdict.Health == audit.Blind {
		return nil
	}
	var unlinked []storage.Exception
	for _, a := range differ {
		if a.Was != 0 {
			unlinked = append(unlinked, storage.Exception{Subject: a.Was, User: a.User})
		}
	}
	return e.remember(ctx, unlinked, l.At)
}

func (e *Engine) isNow(d *audit.Directory, l *Look) {
	sum := d.Sum()
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	if d.Version != "" || sum != e.kept.sum { // a whole read of the Auth that was noted last has no version, and changes nothing
		e.kept.noted, e.kept.sum = d.Version, sum
	}
	e.kept.verdict, e.kept.at = l.Verdict.Health, l.At
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
