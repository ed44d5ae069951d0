package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/enforcement"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// namedAtOnce is how many members can be read by name at once.
const namedAtOnce = 100

// Blocks tells in process who is kept out, without waiting for anybody; *guard.Guard does.
type Blocks interface {
	Find(ns enforcement.Namespace, sub enforcement.Subject) (enforcement.Block, bool)
}

// readBlocks reads the blocks in force that act, and whom the blocked Auth users were last linked to.
func (e *Engine) readBlocks(ctx context.Context, db storage.Roles, at time.Time, of []snowflake.ID) (blocks []storage.Block, links []storage.AccountRevision, err error) {
	if blocks, err = db.ActingBlocks(ctx, e.cfg.Guild, at, of); err != nil {
		return nil, nil, err
	}
	var users []int64
	for _, b := range blocks {
		if sub, ok := personOf(b); ok && sub.Scope == enforcement.Account {
			users = append(users, int64(sub.ID)) //nolint:gosec // an id that Auth's own table holds
		}
	}
	if len(users) > 0 {
		links, err = db.LastLinks(ctx, e.cfg.Source, users)
	}
	return blocks, links, err
}

// personOf is whom a stored block is about; false if that is no person, or cannot be read: the guard tells of that one.
func personOf(b storage.Block) (enforcement.Subject, bool) {
	scope, err := enforcement.ParseBlockable(b.Scope)
	if err != nil || !scope.Person() {
		return enforcement.Subject{}, false
	}
	sub, err := enforcement.ParseSubject(scope, b.Value)
	return sub, err == nil
}

// keptOut says for each Discord account what the blocks do to it. An Auth user's block is about every Discord account that is theirs, and
// while Auth cannot be asked about those that were theirs last.
func keptOut(guild snowflake.ID, blocks []storage.Block, ids func(user int64) []snowflake.ID) []audit.Block {
	var out []audit.Block
	for _, b := range blocks {
		sub, ok := personOf(b)
		if !ok {
			continue
		}
		var members []snowflake.ID
		switch sub.Scope {
		case enforcement.User:
			members = []snowflake.ID{snowflake.ID(sub.ID)}
		case enforcement.Member:
			if snowflake.ID(sub.Guild) == guild {
				members = []snowflake.ID{snowflake.ID(sub.ID)}
			}
		case enforcement.Account:
			members = ids(int64(sub.ID)) //nolint:gosec // an id that Auth's own table holds
		case enforcement.Session, enforcement.IP, enforcement.Webhook, enforcement.Channel, enforcement.Guild, enforcement.Role, enforcement.Route:
		}
		for _, id := range members {
			out = append(out, audit.Block{Member: id, Until: b.End, Act: actOf(b.Also)})
		}
	}
	return out
}

func actOf(a enforcement.Also) audit.Act {
	switch a {
	case enforcement.AlsoStrip:
		return audit.Strip
	case enforcement.AlsoBan:
		return audit.Ban
	case enforcement.AlsoNone, enforcement.AlsoKick:
	}
	return audit.Kick
}

// discordIDs answers which Discord accounts are an Auth user's: what Auth says, else what it said last.
func discordIDs(d *audit.Directory, known []audit.Identity, links []storage.AccountRevision) func(user int64) []snowflake.ID {
	return func(user int64) (ids []snowflake.ID) {
		add := func(id snowflake.ID) {
			if id != 0 && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		there := false
		if d != nil {
			var a *audit.Account
			if a, there = d.Account(user); there {
				add(a.Discord)
			}
		}
		for _, l := range links {
			if l.User == user && !there {
				add(l.Discord)
			}
		}
		for _, x := range known {
			// An account that is linked to somebody else by now is theirs.
			if x.User == user && (d == nil || len(d.Linked(x.Discord)) == 0) {
				add(x.Discord)
			}
		}
		return ids
	}
}

// enforce puts into the scene what blocks do, and whom they do not reach.
func (e *Engine) enforce(s *audit.Subjects, l *Look, r *rows) {
	known := r.identities()
	if l.whole != nil {
		known = l.whole.Identities // ours are among them
	}
	ids := discordIDs(l.whole, known, r.links)
	s.Blocks = keptOut(e.cfg.Guild, r.blocks, ids)
	about := slices.Clone(l.of)
	for _, b := range s.Blocks {
		about = append(about, b.Member)
	}
	e.spare(s, l, ids, about)
}

// spare names those of the members who are immune.
func (e *Engine) spare(s *audit.Subjects, l *Look, ids func(user int64) []snowflake.ID, about []snowflake.ID) {
	if e.cfg.Immune == nil || len(about) == 0 {
		return
	}
	immune := e.cfg.Immune()
	for _, sub := range immune.Subjects {
		switch sub.Scope {
		case enforcement.User:
			s.Immune = append(s.Immune, snowflake.ID(sub.ID))
		case enforcement.Member:
			if snowflake.ID(sub.Guild) == e.cfg.Guild {
				s.Immune = append(s.Immune, snowflake.ID(sub.ID))
			}
		case enforcement.Account:
			s.Immune = append(s.Immune, ids(int64(sub.ID))...) //nolint:gosec // an id that Auth's own table holds
		case enforcement.Role:
			s.ImmuneRoles = append(s.ImmuneRoles, snowflake.ID(sub.ID))
		case enforcement.Session, enforcement.IP, enforcement.Webhook, enforcement.Channel, enforcement.Guild, enforcement.Route:
		}
	}
	if !immune.Superusers || l.whole == nil {
		return
	}
	for _, id := range about {
		for _, i := range l.whole.Linked(id) {
			if a := &l.whole.Accounts[i]; a.Superuser && a.Active {
				s.Immune = append(s.Immune, id)
			}
		}
	}
}

// stillBlocked reports whether a block that does this to the member is in force, as the database knows at this moment.
func (e *Engine) stillBlocked(ctx context.Context, db storage.Roles, l *Look, member snowflake.ID) (bool, error) {
	blocks, links, err := e.readBlocks(ctx, db, e.now(), []snowflake.ID{member})
	if err != nil {
		return false, err
	}
	for _, b := range keptOut(e.cfg.Guild, blocks, discordIDs(l.whole, l.Scene.Auth.Identities, links)) {
		if b.Member == member {
			return true, nil
		}
	}
	return false, nil
}

// DiscordIDs are the Discord accounts that a subject is about, as far as they are known; none if it is no person.
func (e *Engine) DiscordIDs(ctx context.Context, sub enforcement.Subject) (ids []snowflake.ID, err error) {
	defer wrap.Err(&err, "Discord accounts of a %s", sub.Scope)
	switch sub.Scope {
	case enforcement.User:
		return []snowflake.ID{snowflake.ID(sub.ID)}, nil
	case enforcement.Member:
		if snowflake.ID(sub.Guild) == e.cfg.Guild {
			ids = []snowflake.ID{snowflake.ID(sub.ID)}
		}
		return ids, nil
	case enforcement.Account:
	case enforcement.Session, enforcement.IP, enforcement.Webhook, enforcement.Channel, enforcement.Guild, enforcement.Role, enforcement.Route:
		return nil, nil
	}
	user := int64(sub.ID) //nolint:gosec // an id that Auth's own table holds
	links, err := e.db.LastLinks(ctx, e.cfg.Source, []int64{user})
	if err != nil {
		return nil, err
	}
	var d *audit.Directory
	var known []audit.Identity
	if l := e.seen.Load(); l != nil && l.whole != nil {
		d, known = l.whole, l.whole.Identities
	}
	return discordIDs(d, known, links)(user), nil
}

// IsBlocked reports whether a block in force that acts is about the member, by what is known in process: it asks nobody.
func (e *Engine) IsBlocked(member snowflake.ID) bool {
	if e.cfg.Blocks == nil {
		return false
	}
	guild, user := uint64(e.cfg.Guild), uint64(member)
	holds := func(sub enforcement.Subject) bool {
		b, found := e.cfg.Blocks.Find(enforcement.Namespace(guild), sub)
		return found && b.Also != enforcement.AlsoNone
	}
	if holds(enforcement.Subject{Scope: enforcement.User, ID: user}) || holds(enforcement.Subject{Scope: enforcement.Member, Guild: guild, ID: user}) {
		return true
	}
	l := e.seen.Load()
	if l == nil || l.whole == nil {
		return false
	}
	for _, i := range l.whole.Linked(member) {
		if holds(enforcement.Subject{Scope: enforcement.Account, ID: uint64(l.whole.Accounts[i].User)}) { //nolint:gosec // never negative
			return true
		}
	}
	return false
}

// BlockedPresent lists who is in the guild though a block is in force. They are looked at again as soon as lock or pause are lifted;
// everybody else waits for the next event or sweep.
func (e *Engine) BlockedPresent(ctx context.Context, guilds LiveGuilds) (present []snowflake.ID, err error) {
	defer wrap.Err(&err, "blocked members of guild %d", e.cfg.Guild)
	blocks, links, err := e.readBlocks(ctx, e.db, e.now(), nil)
	if err != nil || len(blocks) == 0 {
		return nil, err
	}
	var d *audit.Directory
	var known []audit.Identity
	if l := e.seen.Load(); l != nil && l.whole != nil {
		d, known = l.whole, l.whole.Identities
	}
	blocked := keptOut(e.cfg.Guild, blocks, discordIDs(d, known, links))
	ids := make([]snowflake.ID, len(blocked))
	for i, b := range blocked {
		ids[i] = b.Member
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > namedAtOnce {
		if ids, err = whoIsHere(ctx, guilds, ids); err != nil {
			return nil, err
		}
	}
	for some := range slices.Chunk(ids, namedAtOnce) {
		_, members, err := guilds.Members(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			present = append(present, m.ID)
		}
	}
	return present, nil
}

// whoIsHere leaves of many ids those who are members as far as that is known; all, where not every member is.
func whoIsHere(ctx context.Context, guilds LiveGuilds, ids []snowflake.ID) ([]snowflake.ID, error) {
	pic, err := guilds.Known(ctx)
	if err != nil || !pic.Complete {
		return ids, err
	}
	var here []snowflake.ID
	for _, m := range pic.Members {
		if _, is := slices.BinarySearch(ids, m.ID); is {
			here = append(here, m.ID)
		}
	}
	return here, nil
}
