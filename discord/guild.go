package discord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// ErrNotMember means that the person is not in the guild.
var ErrNotMember = errors.New("not a member of the guild")

// Guild is one guild as the bot sees it, and the only way to change it.
type Guild struct {
	c  *Client
	id snowflake.ID
	m  *mirror

	reading chan struct{} // held by whoever reads all members
	asked   time.Time     // when all members were last asked for over the gateway; by the holder of reading

	mu      sync.Mutex
	sight   chan struct{} // closed while the guild is in sight
	refused map[audit.Action]refusal
}

func newGuild(c *Client, id snowflake.ID) *Guild {
	return &Guild{
		c: c, id: id, m: newMirror(id, c.user), reading: make(chan struct{}, 1), sight: make(chan struct{}), refused: map[audit.Action]refusal{},
	}
}

func (g *Guild) show() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.sight:
	default:
		close(g.sight)
	}
}

func (g *Guild) hide() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.sight:
		g.sight = make(chan struct{})
	default:
	}
}

func (g *Guild) inSight() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sight
}

// Visible reports whether Discord shows the guild: no outage, the bot is in it, and its shard is open here. While it does not, nothing
// should be taken from anybody there: what is known may be old.
func (g *Guild) Visible() bool {
	select {
	case <-g.inSight():
		return true
	default:
		return false
	}
}

// WaitVisible waits until Discord shows the guild. A guild that the bot is not in is a problem at once; an outage lasts as long as
// the context.
func (g *Guild) WaitVisible(ctx context.Context) error {
	begun := g.beginning()
	select {
	case <-begun:
	case <-g.c.closed:
		return g.c.Err()
	case <-ctx.Done():
		return notInSight(g.id).Because(context.Cause(ctx))
	}
	absent, unintroduced := g.beginsWithout()
	switch {
	case g.Visible():
		return nil
	case absent:
		return notInGuild(g.id)
	case unintroduced:
		return g.introduce(ctx)
	}
	select {
	case <-g.inSight():
		return nil
	case <-g.c.closed:
		return g.c.Err()
	case <-ctx.Done():
		return notInSight(g.id).Because(context.Cause(ctx))
	}
}

// beginning is closed when it is known how the session of the guild's shard begins.
func (g *Guild) beginning() (begun <-chan struct{}) {
	g.c.onShard(g.shard(), func(s *shardState) { begun = s.begun })
	return begun
}

// beginsWithout reports whether the session began without the guild, or is one of an earlier process, resumed: Discord then does not
// show its guilds again.
func (g *Guild) beginsWithout() (absent, unintroduced bool) {
	g.c.onShard(g.shard(), func(s *shardState) {
		_, in := s.member[g.id]
		absent, unintroduced = s.member != nil && !in, s.member == nil && s.resumed
	})
	return absent, unintroduced
}

func (g *Guild) shard() int { return g.c.ShardOf(g.id) }

// ready is WaitVisible for who cannot wait: a guild that is out of sight is a problem at once.
func (g *Guild) ready(ctx context.Context) error {
	if g.Visible() {
		return nil
	}
	absent, unintroduced := g.beginsWithout()
	switch {
	case absent:
		return notInGuild(g.id)
	case unintroduced:
		return g.introduce(ctx)
	}
	return notInSight(g.id)
}

// introduce reads what Discord shows of a guild at the beginning of a new session.
func (g *Guild) introduce(ctx context.Context) error {
	if err := g.refresh(ctx); err != nil {
		return err
	}
	own, err := readAgain(ctx, func() (*discord.Member, error) { return g.c.bot.Rest.GetMember(g.id, g.c.Bot(), rest.WithCtx(ctx)) })
	if err != nil {
		return g.c.explain(err)
	}
	g.m.put(own, false)
	g.show()
	return nil
}

// Picture is a guild at one moment.
type Picture struct {
	Guild    audit.Guild
	Members  []audit.Member // by id
	Complete bool           // proven to be every member
	Doubt    string         // why not; empty if it is
	At       time.Time
}

// Discord sends all members over the gateway once in this time (docs: change-log, 2025-08-14).
const fullReadEvery = 30 * time.Second

// Picture reads the guild with all its members: over the gateway where Discord allows it, from what was kept since the last read
// where no event was missed, else page by page. It never waits for the gateway's turn.
//
// The list is complete only with proof: every chunk came, as many members as Discord claimed within the joins and leaves that came
// meanwhile, and Discord's own count of each role's holders is ours.
func (g *Guild) Picture(ctx context.Context) (_ Picture, err error) {
	defer wrap.Err(&err, "read guild %d", g.id)
	if err := g.WaitVisible(ctx); err != nil {
		return Picture{}, err
	}
	select {
	case g.reading <- struct{}{}:
		defer func() { <-g.reading }()
	case <-ctx.Done():
		return Picture{}, context.Cause(ctx)
	}
	if err := g.refresh(ctx); err != nil {
		return Picture{}, err
	}
	early := !g.asked.IsZero() && time.Since(g.asked) < fullReadEvery
	if early && g.m.isComplete() {
		if doubt := g.differs(ctx); doubt == "" || doubt == notCounted {
			return g.picture(""), nil
		}
	}
	doubt, err := g.readAll(ctx, early)
	if err != nil {
		return Picture{}, err
	}
	if doubt != "" {
		g.c.log.WarnContext(ctx, "the list of members is not complete", "guild", g.id, "why", doubt)
	}
	return g.picture(doubt), nil
}

func (g *Guild) picture(doubt string) Picture {
	p := Picture{Doubt: doubt, At: time.Now()}
	p.Guild, p.Members, p.Complete = g.m.picture()
	if !p.Complete && p.Doubt == "" {
		p.Doubt = "events were missed while it was read"
	}
	return p
}

// readAll reads every member anew and says what speaks against the list being complete; nothing: it is.
func (g *Guild) readAll(ctx context.Context, early bool) (doubt string, err error) {
	var first, p proof
	if !early {
		if first, err = g.chunked(ctx); err != nil {
			return "", err
		}
		p = first
	}
	for n := 0; n < pageReads && (p.members == 0 || p.missed || p.count == countWrong && n == 0); n++ {
		if p, err = g.read(func(visit func([]discord.Member)) error { return g.pages(ctx, visit) }); err != nil {
			return "", err
		}
	}
	// Discord's own claim may be wrong: two reads by different ways that agree are a better one.
	if p.count == countWrong && first.members > 0 && agree(first, p) {
		p.count = countUnknown
	}
	return g.judge(ctx, p), nil
}

// pageReads is how often all members are read page by page when sessions end meanwhile.
const pageReads = 3

// chunked reads every member over the gateway; where that does not work it has no proof.
func (g *Guild) chunked(ctx context.Context) (proof, error) {
	g.asked = time.Now()
	p, err := g.read(func(visit func([]discord.Member)) error {
		to, err := g.c.asks(g.id, (*sendBudget).takeWhole)
		if err == nil {
			_, err = g.c.chunks.all(ctx, to, g.id, visit)
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return proof{}, err
	}
	if err != nil {
		level := slog.LevelWarn
		if errors.Is(err, ErrTooEarly) { // an earlier process asked: nothing is wrong
			level = slog.LevelInfo
		}
		g.c.log.Log(ctx, level, "members are read page by page", "guild", g.id, "why", err)
		return proof{}, nil
	}
	return p, nil
}

func agree(a, b proof) bool {
	off := a.members - b.members
	return max(off, -off) <= b.moves && !a.missed
}

// judge says what speaks against a read being complete, and believes it if nothing does.
func (g *Guild) judge(ctx context.Context, p proof) string {
	if p.missed {
		return "events were missed while it was read"
	}
	if p.count == countWrong {
		return fmt.Sprintf("Discord claims %d members and shows %d", p.claimed, p.members)
	}
	doubt := g.differs(ctx)
	if doubt == notCounted && p.count == countRight {
		doubt = ""
	}
	if doubt == "" {
		g.m.believe()
	}
	return doubt
}

// read runs a full read into the mirror.
func (g *Guild) read(by func(visit func([]discord.Member)) error) (proof, error) {
	g.m.beginRead()
	if err := by(g.m.add); err != nil {
		g.m.abandonRead()
		return proof{}, err
	}
	return g.m.endRead(), nil
}

// pageSize is the most members that Discord lists at once.
const pageSize = 1000

func (g *Guild) pages(ctx context.Context, visit func([]discord.Member)) error {
	var after snowflake.ID
	for {
		members, err := readAgain(ctx, func() ([]discord.Member, error) {
			return g.c.bot.Rest.GetMembers(g.id, pageSize, after, rest.WithCtx(ctx))
		})
		if err != nil {
			return g.c.explain(err)
		}
		visit(members)
		if len(members) < pageSize {
			return nil
		}
		after = members[len(members)-1].User.ID
	}
}

// notCounted is the doubt that is none: Discord does not count.
const notCounted = "Discord does not count the holders of roles"

// differs compares Discord's count of each role's holders with ours: only a difference that stays counts.
func (g *Guild) differs(ctx context.Context) string {
	wait := g.c.settle / 32
	for until := time.Now().Add(g.c.settle); ; wait *= 2 {
		theirs, err := g.c.bot.Rest.GetRoleMemberCounts(g.id, rest.WithCtx(ctx))
		if err != nil {
			return notCounted
		}
		off := g.m.miscounted(theirs)
		if off == "" {
			return ""
		}
		if time.Now().Add(wait).After(until) {
			return off
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return off
		}
	}
}

// miscounted names the first role of which Discord counts other holders than we do.
func (m *mirror) miscounted(theirs map[snowflake.ID]int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.guild.Roles {
		if r.ID != m.guild.ID && theirs[r.ID] != m.held[i] {
			return fmt.Sprintf("Discord counts %d holders of role %d, and shows %d", theirs[r.ID], r.ID, m.held[i])
		}
	}
	return ""
}

// refresh reads owner and roles anew if events may have been missed since they were read.
func (g *Guild) refresh(ctx context.Context) error {
	for range 3 {
		current, standing := g.m.stands()
		if current {
			return nil
		}
		now, err := readAgain(ctx, func() (*discord.RestGuild, error) { return g.c.bot.Rest.GetGuild(g.id, false, rest.WithCtx(ctx)) })
		switch {
		case status(err) == http.StatusNotFound, rest.IsJSONErrorCode(err, rest.JSONErrorCodeMissingAccess):
			return notInGuild(g.id).Because(err)
		case err != nil:
			return g.c.explain(err)
		}
		if _, still := g.m.stands(); still != standing { // an event came that may be newer
			continue
		}
		if err := g.m.setGuild(now.Name, now.OwnerID, now.Roles, -1); err != nil {
			return err
		}
	}
	return nil
}

// Member reads one member afresh, with the guild's roles as they are now. Whoever is not there is ErrNotMember.
func (g *Guild) Member(ctx context.Context, id snowflake.ID) (guild audit.Guild, member audit.Member, err error) {
	defer wrap.Err(&err, "read member %d of guild %d", id, g.id)
	if err := g.ready(ctx); err != nil {
		return guild, member, err
	}
	if err := g.refresh(ctx); err != nil {
		return guild, member, err
	}
	_, now, err := g.look(ctx, id)
	if err != nil {
		return guild, member, err
	}
	guild, members := g.m.facts([]discord.Member{*now})
	return guild, members[0], nil
}

// look reads one member and begins to watch them.
func (g *Guild) look(ctx context.Context, id snowflake.ID) (*trace, *discord.Member, error) {
	t := g.m.follow(id)
	now, err := readAgain(ctx, func() (*discord.Member, error) { return g.c.bot.Rest.GetMember(g.id, id, rest.WithCtx(ctx)) })
	if rest.IsJSONErrorCode(err, rest.JSONErrorCodeUnknownMember, rest.JSONErrorCodeUnknownUser) {
		return t, nil, ErrNotMember
	}
	if err != nil {
		return t, nil, g.c.explain(err)
	}
	g.m.note(t, now.RoleIDs)
	return t, now, nil
}

func (m *mirror) isComplete() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.complete
}

// stands says whether roles and owner are current, and a number that changes with them.
func (m *mirror) stands() (bool, uint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current, m.standing
}

// Headcount is how many there are, as known from what was seen so far.
type Headcount struct {
	Guild    audit.Guild
	Members  int
	Holders  [audit.MaxRoles]int // of each role, by its index in Guild.Roles
	Complete bool                // every member is known, and no event was missed
	Visible  bool                // the guild is in sight: no outage, the bot is in it, and a session stands
	Revision uint64              // another one: members may have come or gone since
	At       time.Time
}

// Headcount counts without copying any member, and asks Discord for nothing.
func (g *Guild) Headcount() Headcount {
	h := Headcount{At: time.Now(), Visible: g.Visible()}
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	h.Guild, h.Members, h.Holders, h.Complete, h.Revision = g.m.guild, len(g.m.members), g.m.held, g.m.complete, g.m.changes
	return h
}

// Present counts how many of the people are known to be members.
func (g *Guild) Present(ids []snowflake.ID) (n int) {
	for some := range slices.Chunk(ids, copiedAtOnce) { // the goroutine that reads the gateway gets its turn in between
		n += g.m.present(some)
	}
	return n
}

func (m *mirror) present(ids []snowflake.ID) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if _, here := m.members[id]; here {
			n++
		}
	}
	return n
}

// Known is the guild as it is known from what was seen so far, members in no order; it asks Discord for nothing.
func (g *Guild) Known(ctx context.Context) (Picture, error) {
	p := Picture{At: time.Now()}
	p.Guild, p.Members, p.Complete = g.m.unsorted()
	if !p.Complete {
		p.Doubt = "the members were not read whole since the last event was missed"
	}
	return p, ctx.Err()
}
