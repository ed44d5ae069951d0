package commands

import (
	"context"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// outlookWithin is how long Discord may take to say who is in the guild: the block does not wait longer.
const outlookWithin = 4 * time.Second

// blockAdd keeps people out at once; what their blocks do to them in the guild is the audit line's, and it says at once if that is held.
func blockAdd(ctx context.Context, x *call) (*answer, error) {
	ids, err := x.people()
	if err != nil {
		return nil, err
	}
	if err := x.notSelf(ids...); err != nil {
		return nil, err
	}
	end, err := x.blockEnd(x.now())
	if err != nil {
		return nil, err
	}
	if oneLine(x.str("reason")) == "" {
		return nil, problem.New(problem.Usage, x.T(i18n.FrameNoReason), x.T(i18n.FrameAskAgain))
	}
	also := enforcement.AlsoKick
	if x.has("also") {
		if also, err = enforcement.ParseAlso(x.str("also")); err != nil || also > enforcement.AlsoKick {
			return nil, problem.New(problem.Usage, x.T(i18n.BlockNoAlso, i18n.Args{"Given": quoted(x.str("also"))}), x.T(i18n.FrameAskAgain))
		}
	}
	b := &blocks{call: x, end: end, also: also, outlook: x.outlook(ctx, ids)}
	for _, id := range ids {
		to, err := x.subjectFor(id)
		if err != nil {
			return nil, err
		}
		b.add(ctx, id, to)
	}
	return b.told(ctx, i18n.BlockDone)
}

// outlook is what is known of the people in the guild, and of what would hold a change there; nil: Discord does not say.
func (x *call) outlook(ctx context.Context, ids []snowflake.ID) *reconcile.BlockOutlook {
	ctx, end := context.WithTimeout(ctx, outlookWithin)
	defer end()
	o, err := x.house.Engine.OutlookOfBlocks(ctx, ids, x.house.Guilds)
	if err != nil {
		x.log.WarnContext(ctx, "it is not known what a block will do in the guild", "guild", x.guild, "error", err)
		return nil
	}
	return o
}

// blocks is one order about several people.
type blocks struct {
	*call
	end     time.Time // zero: for good
	also    enforcement.Also
	outlook *reconcile.BlockOutlook

	made    int
	held    bool // one of them in process only
	refused []error
	lines   []string
	fate    string // of the only one
}

// whom is what is known of somebody, so that immune roles count.
func (b *blocks) whom(id snowflake.ID) enforcement.Actor {
	who := enforcement.Actor{User: uint64(id), Guild: uint64(b.guild)}
	if users := b.usersOf(id); len(users) == 1 {
		who.Account = uint64(users[0])
	}
	if b.outlook == nil {
		return who
	}
	for i := range b.outlook.Members[id].Roles.All() {
		if i < len(b.outlook.Guild.Roles) {
			who.Roles = append(who.Roles, uint64(b.outlook.Guild.Roles[i].ID))
		}
	}
	return who
}

// add blocks one of them.
func (b *blocks) add(ctx context.Context, id snowflake.ID, to target) {
	o := guard.Order{Namespace: to.ns, Subject: to.sub, Also: b.also, By: b.author(b.str("reason")), Whom: b.whom(id)}
	if !b.end.IsZero() {
		o.TTL = b.end.Sub(o.By.At)
	}
	c, err := b.cfg.Blocks.Block(ctx, o)
	if err != nil {
		b.failed(mentionMember(id), err)
		return
	}
	words := i18n.Args{"Who": mentionMember(id) + " " + code(id.String()), "Until": b.untilWords(c.Block.End), "Where": b.whereWords(to)}
	line := ""
	switch c.What {
	case storage.BlockMade:
		line = "🚫 " + b.T(i18n.BlockMade, words)
	case storage.BlockExtended:
		line = "🚫 " + b.T(i18n.BlockExtended, words)
	case storage.BlockKept:
		words["By"] = whoWords(c.Block.Owner)
		line = "▫️ " + b.T(i18n.BlockKept, words)
	}
	if c.Block.ID != 0 {
		line += " (" + code(blockNumber(c.Block.ID)) + ")"
	}
	if b.held = b.held || c.Held; c.Held {
		line = joinLines(line, "⚠️ "+b.T(i18n.BlockHeld))
	}
	b.fate = b.fateWords(id, c.Block.Also)
	b.lines = append(b.lines, joinLines(line, "↳ "+b.fate))
	b.made++
}

func (b *blocks) failed(who string, err error) {
	err = b.refusedBlock(who, err)
	b.refused = append(b.refused, err)
	b.lines = append(b.lines, "⛔ "+whatOf(err, b.T(i18n.BlockFailed, i18n.Args{"Who": who})))
}

// whereWords says where a block holds.
func (x *call) whereWords(to target) string {
	switch {
	case to.ns == enforcement.Global:
		return x.T(i18n.BlockEverywhere)
	case to.sub.Scope == enforcement.Account:
		return x.T(i18n.BlockWholeAccount)
	}
	return x.T(i18n.BlockHere)
}

// fateWords says what becomes of a blocked member in the guild, and what keeps it from being done now.
func (b *blocks) fateWords(id snowflake.ID, also enforcement.Also) string {
	kind, act := audit.KickMember, i18n.BlockActKick
	switch also {
	case enforcement.AlsoNone:
		return b.T(i18n.BlockFateNone)
	case enforcement.AlsoStrip:
		kind, act = audit.RemoveRole, i18n.BlockActStrip
	case enforcement.AlsoBan:
		kind, act = audit.BanMember, i18n.BlockActBan
	case enforcement.AlsoKick:
	}
	if b.outlook == nil {
		return b.T(i18n.BlockFateUnknown, i18n.Args{"Act": b.T(act)})
	}
	f := b.outlook.Of(id, kind)
	if !f.Present {
		return b.T(i18n.BlockFateAbsent, i18n.Args{"Act": b.T(act)})
	}
	if f.Goes() {
		return b.T(i18n.BlockFateGoes, i18n.Args{"Act": b.T(act)})
	}
	why, cure := b.heldBy(f)
	return joinWith(" ", b.T(i18n.BlockFateHeld, i18n.Args{"Act": b.T(act), "Why": why}), cure)
}

// heldBy names what holds it, and what would let it go on.
func (b *blocks) heldBy(f reconcile.BlockFate) (why, cure string) {
	switch {
	case f.Layer != 0:
		return b.Layer(f.Layer, ""), b.T(i18n.BlockCureSpared)
	case f.Code != "":
		return b.Code(f.Code)
	case f.Gate == audit.Lock:
		return b.Gate(f.Gate), b.T(i18n.BlockCureLock)
	case f.Gate == audit.Pause:
		return b.Gate(f.Gate), b.T(i18n.BlockCurePause)
	case f.Gate != 0:
		return b.Gate(f.Gate), b.T(i18n.BlockCureWaits)
	}
	return b.Dimension(audit.BlockKicks, ""), b.T(i18n.BlockCureBudget)
}

// told is the answer. If the only one was refused, that is the answer.
func (b *blocks) told(ctx context.Context, title i18n.Key) (*answer, error) {
	if b.made == 0 && len(b.refused) == 1 {
		return nil, b.refused[0]
	}
	if b.made > 0 {
		if err := b.accept(ctx, b.find(b.path), 0); err != nil && !b.held {
			return nil, err
		}
	}
	a := &answer{tone: toneDone, title: b.N(title, b.made), text: strings.Join(b.lines, "\n")}
	if len(b.refused) > 0 {
		a.tone = toneWarn
		a.fields = append(a.fields, field{name: b.T(i18n.BlockNotAll), value: b.N(i18n.BlockRefused, len(b.refused))})
	}
	a.fields = append(a.fields, field{name: b.T(i18n.TableReason), value: plainOr(b.str("reason"), "–")})
	if mode := b.cfg.Blocks.Mode(uint64(b.guild)); mode != enforcement.Enforcing {
		a.tone = toneWarn
		a.fields = append(a.fields, field{name: b.T(i18n.BlockModeName), value: b.enforcementWords(mode)})
	}
	if b.also == enforcement.AlsoKick && !b.has("also") && title == i18n.BlockDone {
		a.footer = b.T(i18n.BlockOtherwise)
	}
	return a, nil
}

// enforcementWords says what enforcement does in the guild.
func (x *call) enforcementWords(m enforcement.Mode) string {
	return x.T([...]i18n.Key{enforcement.Enforcing: i18n.BlockModeEnforce, enforcement.Shadowing: i18n.BlockModeShadow, enforcement.Disabled: i18n.BlockModeOff}[m])
}

// whatOf is an error as one line among others.
func whatOf(err error, otherwise string) string {
	if p, is := asProblem(err); is {
		return p.What
	}
	return otherwise
}
