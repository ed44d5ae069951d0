package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// blockCommand keeps people out, and lets them in again. It is shown to whoever may manage the server; who lacks our right is told so.
func blockCommand() command {
	others := option{name: "more_members", is: optText, max: 1000}
	known := option{name: "block", is: optText, kept: true, offer: offerBlocks, max: 20}
	person := option{name: "member", is: optMember}
	named := person
	named.required = true
	length := option{name: "duration", is: optText, kept: true, required: true, max: 40, offer: offerDurations}
	also := option{name: "also", is: optText, kept: true, choices: []string{
		enforcement.AlsoNone.String(), enforcement.AlsoStrip.String(), enforcement.AlsoKick.String(),
	}}
	return command{name: "block", hidden: discord.PermissionManageGuild, below: []deed{
		{
			name: "add", need: blocking(guards), more: moreForBlock, do: blockAdd, form: blockForm,
			options: []option{named, reasonOption(), length, scopeOption(), also, others},
		},
		{name: "remove", need: blocking(loosens), more: moreForBlock, do: blockRemove, options: []option{reasonOption(), person, others, known, scopeOption()}},
		{
			name: "list", need: blocking(reads), do: blockList, public: true, people: true,
			options: []option{person, scopeOption(), {name: "closed", is: optFlag, kept: true}, formatOption()},
		},
		{name: "show", need: blocking(reads), do: blockShow, public: true, people: true, options: []option{person, known, scopeOption()}},
		{name: "extend", need: blocking(guards), more: moreForBlock, do: blockExtend, options: []option{reasonOption(), length, person, others, known, scopeOption()}},
	}}
}

// blockMenu is the entry of a member's context menu.
func blockMenu() menu {
	return menu{name: "block", hidden: discord.PermissionManageGuild, as: "block add"}
}

func blocking(sort reconcile.Deed) need {
	return need{sort: sort, all: []audit.Right{audit.RightBlock}}
}

// The scopes that a moderator's block may have.
func blockScopes() []string {
	return []string{enforcement.Member.String(), enforcement.User.String(), enforcement.Account.String()}
}

func scopeOption() option {
	return option{name: "scope", is: optText, kept: true, choices: blockScopes()}
}

// briefly is how long somebody may be kept out on rights that were only known lately.
const briefly = time.Hour

// moreForBlock asks for the right of every guild where everywhere is meant, and for rights as they are now where it is for longer.
func moreForBlock(x *call) need {
	n := blocking(guards)
	if x.str("scope") == enforcement.User.String() {
		n.all = append(n.all, audit.RightBlockGlobal)
	}
	if x.has("duration") {
		if end, err := x.blockEnd(x.now()); err != nil || end.IsZero() || end.After(x.now().Add(briefly)) {
			n.sort = orders
		}
	}
	return n
}

// blockForm asks for what the context menu cannot.
func blockForm(_ context.Context, x *call) (*form, error) {
	if x.has("reason") {
		return nil, nil //nolint:nilnil // nothing is missing
	}
	if err := x.notSelf(x.ref("member")); err != nil {
		return nil, err
	}
	return &form{title: x.T(i18n.BlockFormTitle), inputs: []input{
		{name: "duration", label: x.T(i18n.BlockFormDuration), value: "7d", most: 40},
		{name: "reason", label: x.T(i18n.BlockFormReason), long: true, most: mostReason},
	}}, nil
}

// The words for a block without an end.
func isForever(text string) bool {
	return slices.Contains([]string{"forever", "permanent", "навсегда"}, strings.ToLower(text))
}

// blockEnd is when a block that is asked for at the instant ends; zero: it does not.
func (x *call) blockEnd(now time.Time) (time.Time, error) {
	text := x.str("duration")
	if isForever(text) {
		return time.Time{}, nil
	}
	end, ok := endOf(text, now)
	if !ok || text == "" || !end.After(now) {
		return end, problem.New(problem.Usage, x.T(i18n.BlockNoDuration, i18n.Args{"Given": quoted(text)}), x.T(i18n.BlockNoDurationCure))
	}
	return end, nil
}

// offerDurations offers lengths that are often wanted.
func offerDurations(_ context.Context, x *call, typed string) (list []choice, err error) {
	for _, text := range []string{"30m", "1h", "12h", "1d", "7d", "30d", "forever"} {
		if strings.HasPrefix(text, strings.ToLower(typed)) {
			list = append(list, choice{x.blockLength(text), text})
		}
	}
	if len(list) == 0 && typed != "" {
		if end, ok := endOf(typed, x.now()); ok && end.After(x.now()) {
			list = append(list, choice{typed, typed})
		}
	}
	return list, nil
}

func (x *call) blockLength(text string) string {
	if isForever(text) {
		return x.T(i18n.BlockForever) + " (" + text + ")"
	}
	end, _ := endOf(text, x.now())
	return x.Duration(end.Sub(x.now())) + " (" + text + ")"
}

// mostBlocked is how many people one command may name.
const mostBlocked = 25

// people are those whom a command names, each once; none is an error unless a block is named instead.
func (x *call) people() (ids []snowflake.ID, err error) {
	if id := x.ref("member"); id != 0 {
		ids = append(ids, id)
	}
	for word := range strings.FieldsFuncSeq(x.str("more_members"), func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\n' || r == '\t' }) {
		id, err := snowflake.Parse(strings.Trim(word, "<@!>"))
		if err != nil || id == 0 {
			return nil, problem.New(problem.Usage, x.T(i18n.BlockNobody, i18n.Args{"Given": quoted(word)}), x.T(i18n.BlockNobodyCure))
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > mostBlocked {
		return nil, problem.New(problem.Usage, x.N(i18n.BlockTooMany, mostBlocked), x.T(i18n.FrameAskAgain))
	}
	if len(ids) == 0 && !x.has("block") {
		return nil, problem.New(problem.Usage, x.T(i18n.BlockWhom), x.T(i18n.BlockWhomCure))
	}
	return ids, nil
}

// notSelf spares moderators the most embarrassing mistake.
func (x *call) notSelf(ids ...snowflake.ID) error {
	if slices.Contains(ids, x.caller.Discord) {
		return refuse("own_account", x.T(i18n.BlockSelf), x.T(i18n.FrameAskAgain))
	}
	return nil
}

// subjectsOf are what a block of somebody may name, the usual one first: in this guild, everywhere, their Auth user.
func (x *call) subjectsOf(id snowflake.ID) []target {
	here := enforcement.Namespace(x.guild)
	all := []target{
		{here, enforcement.Subject{Scope: enforcement.Member, ID: uint64(id), Guild: uint64(x.guild)}},
		{enforcement.Global, enforcement.Subject{Scope: enforcement.User, ID: uint64(id)}},
	}
	for _, user := range x.usersOf(id) {
		all = append(all, target{here, enforcement.Subject{Scope: enforcement.Account, ID: uint64(user)}}, target{enforcement.Global, enforcement.Subject{Scope: enforcement.Account, ID: uint64(user)}})
	}
	return append(all, target{here, enforcement.Subject{Scope: enforcement.User, ID: uint64(id)}},
		target{enforcement.Global, enforcement.Subject{Scope: enforcement.Member, ID: uint64(id), Guild: uint64(x.guild)}})
}

// target is a subject and where its block holds.
type target struct {
	ns  enforcement.Namespace
	sub enforcement.Subject
}

// usersOf are the users of Auth to whom somebody is linked, as it was read last.
func (x *call) usersOf(id snowflake.ID) (users []int64) {
	look := x.house.Engine.Remembered()
	if look == nil || look.Scene == nil || look.Scene.Auth == nil {
		return nil
	}
	for _, i := range look.Scene.Auth.Linked(id) {
		users = append(users, look.Scene.Auth.Accounts[i].User)
	}
	return users
}

// subjectFor is what a new block of somebody names.
func (x *call) subjectFor(id snowflake.ID) (target, error) {
	all := x.subjectsOf(id)
	switch x.str("scope") {
	case "", enforcement.Member.String():
		return all[0], nil
	case enforcement.User.String():
		return all[1], nil
	case enforcement.Account.String():
		if users := x.usersOf(id); len(users) == 1 {
			return all[2], nil
		}
		return target{}, problem.New(problem.Usage, x.T(i18n.BlockNoAccount, i18n.Args{"Who": mentionMember(id)}), x.T(i18n.BlockNoAccountCure))
	}
	return target{}, problem.New(problem.Usage, x.T(i18n.BlockNoScope, i18n.Args{"Given": quoted(x.str("scope"))}), x.T(i18n.FrameAskAgain))
}

// refusedBlock turns the guard's refusal into the person's words.
func (x *call) refusedBlock(who string, err error) error {
	switch {
	case errors.Is(err, guard.ErrImmune):
		return refuse("immune", x.T(i18n.BlockImmune, i18n.Args{"Who": who}), x.T(i18n.BlockImmuneCure))
	case errors.Is(err, guard.ErrNotStored):
		return problem.New(problem.Failed, x.T(i18n.BlockNotStored, i18n.Args{"Who": who}), x.T(i18n.BlockNotStoredCure)).Because(err)
	}
	return err
}

// personOf is the Discord account that a stored block names; zero: none.
func personOf(b *storage.Block) snowflake.ID {
	scope, err := enforcement.ParseScope(b.Scope)
	if err != nil || (scope != enforcement.User && scope != enforcement.Member) {
		return 0
	}
	sub, err := enforcement.ParseSubject(scope, b.Value)
	if err != nil {
		return 0
	}
	return snowflake.ID(sub.ID)
}

// targetOf is what a stored block names.
func targetOf(b *storage.Block) (h target, err error) {
	scope, err := enforcement.ParseBlockable(b.Scope)
	if err != nil {
		return h, err
	}
	h.ns = enforcement.Namespace(b.Guild)
	h.sub, err = enforcement.ParseSubject(scope, b.Value)
	return h, err
}

// subjectWords names whom or what a block is about.
func (x *call) subjectWords(b *storage.Block) string {
	if id := personOf(b); id != 0 {
		return mentionMember(id) + " " + code(id.String())
	}
	if b.Scope == enforcement.Account.String() {
		return x.T(i18n.BlockOfAccount, i18n.Args{"User": b.Value})
	}
	return code(b.Scope + ":" + b.Value)
}

// untilWords says when a block ends.
func (x *call) untilWords(end time.Time) string {
	if end.IsZero() {
		return x.T(i18n.BlockForever)
	}
	return stamp(end)
}

func blockNumber(id int64) string { return "#" + strconv.FormatInt(id, 10) }
