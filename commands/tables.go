package commands

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// table is one of the five operator tables as a family of commands: /exempt, /protect, /botaccount, /override, /identity.
type table struct {
	of      storage.Table
	name    string // of the family
	right   audit.Right
	subject string // the option that names what an entry is about
	own     []option
	effect  i18n.Key // of an entry, about {{.Subject}}
}

func tables() []table {
	duration := option{name: "duration", is: optText, kept: true, max: 40}
	return []table{
		{of: storage.Exemptions, name: "exempt", right: audit.RightManageExemptions, subject: "role", own: []option{duration}, effect: i18n.TableExempt},
		{of: storage.Protections, name: "protect", right: audit.RightManageProtected, subject: "member", own: []option{duration}, effect: i18n.TableProtected},
		{of: storage.BotAccounts, name: "botaccount", right: audit.RightManageBots, subject: "member", own: []option{duration}, effect: i18n.TableBot},
		{
			of: storage.Overrides, name: "override", right: audit.RightManageOverrides, subject: "member", effect: i18n.TableOverride,
			own: []option{
				{name: "action", is: optText, kept: true, required: true, choices: []string{audit.Report.String(), audit.Strip.String(), audit.StripKick.String()}},
				duration,
				{name: "once", is: optFlag, kept: true},
			},
		},
		{
			of: storage.Identities, name: "identity", right: audit.RightManageIdentities, subject: "member", effect: i18n.TableIdentity,
			own: []option{{name: "user", is: optText, kept: true, required: true, offer: offerUsers}},
		},
	}
}

// tableCommands change what gatecamp goes by, so they start out of sight.
func tableCommands() []command {
	var all []command
	for _, t := range tables() {
		all = append(all, command{name: t.name, hidden: discord.PermissionManageGuild, below: []deed{t.add(), t.remove(), t.list()}})
	}
	return all
}

func (t table) changing() need { return need{sort: loosens, all: []audit.Right{t.right}} }

func (t table) about() option {
	if t.of == storage.Exemptions {
		return option{name: t.subject, is: optRole, required: true, kept: true}
	}
	return option{name: t.subject, is: optMember, required: true}
}

// reasonOption asks why; whoever looks at the record later will.
func reasonOption() option {
	return option{name: "reason", is: optText, required: true, min: 3, max: mostReason}
}

func (t table) add() deed {
	return deed{
		name: "add", need: t.changing(), options: append([]option{t.about(), reasonOption()}, t.own...),
		do: func(ctx context.Context, x *call) (*answer, error) {
			d, err := x.directory(ctx)
			if err != nil {
				return nil, err
			}
			e, err := x.newEntry(ctx, t, d)
			if err != nil {
				return nil, err
			}
			return x.addEntry(ctx, t, e, d)
		},
	}
}

func (t table) remove() deed {
	options := []option{t.about(), reasonOption()}
	if t.of == storage.Identities {
		options = append(options, option{name: "user", is: optText, kept: true, offer: offerUsers})
	}
	return deed{
		name: "remove", need: t.changing(), options: options,
		do: func(ctx context.Context, x *call) (*answer, error) {
			d, err := x.directory(ctx)
			if err != nil {
				return nil, err
			}
			e, err := x.entryInForce(ctx, t, d)
			if err != nil {
				return nil, err
			}
			return x.removeEntry(ctx, t, e, d)
		},
	}
}

func (t table) list() deed {
	return deed{
		name: "list", need: need{sort: reads, all: []audit.Right{t.right}}, options: []option{formatOption()},
		do: func(ctx context.Context, x *call) (*answer, error) {
			rows, err := x.cfg.Store.ExceptionsAt(ctx, x.guild, x.now())
			if err != nil {
				return nil, err
			}
			rows = slices.DeleteFunc(rows, func(e storage.Exception) bool { return e.Table != t.of })
			return &answer{title: x.T(i18n.TableTitle, i18n.Args{"Table": x.Table(t.of)}), list: t.listing(x.Printer, rows)}, nil
		},
	}
}

// newEntry reads what is to be added.
func (x *call) newEntry(ctx context.Context, t table, d *audit.Directory) (e storage.Exception, err error) {
	e = storage.Exception{Guild: x.guild, Table: t.of, Subject: x.ref(t.subject)}
	if e.Subject == 0 {
		return e, problem.New(problem.Usage, x.T(i18n.TableNoSubject, i18n.Args{"Given": quoted(x.str(t.subject))}), x.T(i18n.FrameAskAgain))
	}
	if e.Expires, err = x.ending("duration"); err != nil {
		return e, err
	}
	switch t.of {
	case storage.Overrides:
		e.Action, e.SingleUse = x.str("action"), x.is("once")
		if _, ok := audit.ParseAct(e.Action); !ok {
			return e, problem.New(problem.Usage, x.T(i18n.TableNoAction, i18n.Args{"Given": quoted(e.Action)}), x.T(i18n.FrameAskAgain))
		}
	case storage.Identities:
		e.Source = audit.Operator.String()
		e.User, err = x.authUser(d)
	case storage.Exemptions:
		if e.Subject == x.guild {
			return e, problem.New(problem.Usage, x.T(i18n.TableEveryone), x.T(i18n.FrameAskAgain))
		}
		err = x.mayExempt(ctx, e.Subject)
	case storage.Protections, storage.BotAccounts:
	}
	return e, err
}

// inForce are the entries about a subject that count now; a user narrows those of identities.
func (x *call) inForce(ctx context.Context, t table, subject snowflake.ID, user int64) ([]storage.Exception, error) {
	rows, err := x.cfg.Store.Exceptions(ctx, x.guild, storage.ExceptionFilter{Table: t.of, Subject: subject})
	now := x.now()
	return slices.DeleteFunc(rows, func(e storage.Exception) bool { return !e.InForce(now) || user != 0 && e.User != user }), err
}

// entryInForce is the one entry that is to be removed.
func (x *call) entryInForce(ctx context.Context, t table, d *audit.Directory) (e storage.Exception, err error) {
	var user int64
	if x.has("user") {
		if user, err = x.authUser(d); err != nil {
			return e, err
		}
	}
	rows, err := x.inForce(ctx, t, x.ref(t.subject), user)
	switch {
	case err != nil:
		return e, err
	case len(rows) == 0:
		return e, problem.New(problem.Usage, x.T(i18n.TableNone, i18n.Args{"Subject": t.subjectWords(x.ref(t.subject))}), x.T(i18n.TableNoneCure, i18n.Args{"Command": "`/" + t.name + " list`"}))
	case len(rows) > 1:
		return e, problem.New(problem.Usage, x.T(i18n.TableSeveral, i18n.Args{"Subject": t.subjectWords(x.ref(t.subject))}), x.T(i18n.TableSeveralCure))
	}
	return rows[0], nil
}

// mayExempt lets nobody put a role out of reach that is not below their own highest one. The owner stands above every role.
func (x *call) mayExempt(ctx context.Context, role snowflake.ID) error {
	pic, err := x.house.Guilds.Known(ctx)
	if err != nil {
		return err
	}
	if pic.Guild.Owner == x.caller.Discord {
		return nil
	}
	own, wanted, found := audit.Role{Position: -1}, audit.Role{}, false
	for _, r := range pic.Guild.Roles {
		if slices.Contains(x.caller.Roles, r.ID) && higher(r, own) {
			own = r
		}
		if r.ID == role {
			wanted, found = r, true
		}
	}
	if !found {
		return problem.New(problem.Usage, x.T(i18n.TableNoRole, i18n.Args{"Role": code(role.String())}), x.T(i18n.FrameAskAgain))
	}
	if own.ID == 0 || !higher(own, wanted) {
		return refuse("role_above_own", x.T(i18n.TableAbove, i18n.Args{"Role": mentionRole(role)}), x.T(i18n.TableAboveCure))
	}
	return nil
}

// higher reports whether a role stands above another: of two on one position the older one does (Discord: topics/permissions).
func higher(a, b audit.Role) bool {
	return a.Position > b.Position || a.Position == b.Position && a.ID < b.ID
}

// authUser reads which user of Auth is meant: by number, or by a name that begins only one.
func (x *call) authUser(d *audit.Directory) (int64, error) {
	typed := strings.TrimPrefix(x.str("user"), "#")
	if n, err := strconv.ParseInt(typed, 10, 64); err == nil {
		if _, known := d.Account(n); known {
			return n, nil
		}
	} else if found := usersLike(d, typed, 2); len(found) == 1 {
		return found[0].User, nil
	}
	return 0, problem.New(problem.Usage, x.T(i18n.TableNoUser, i18n.Args{"Given": quoted(typed)}), x.T(i18n.TableNoUserCure))
}

// offerUsers offers users of Auth whose name, main character or number begins with what is typed, from what the last look knew.
func offerUsers(_ context.Context, x *call, typed string) ([]choice, error) {
	look := x.house.Engine.Remembered()
	if look == nil {
		return nil, nil
	}
	var list []choice
	for _, a := range usersLike(look.Scene.Auth, typed, mostChoices) {
		name := a.Username
		if a.Main.Name != "" {
			name = a.Main.Name + " (" + a.Username + ")"
		}
		number := strconv.FormatInt(a.User, 10)
		list = append(list, choice{oneLine(name) + " #" + number, number})
	}
	return list, nil
}

func usersLike(d *audit.Directory, typed string, most int) (found []*audit.Account) {
	typed = strings.ToLower(strings.TrimPrefix(typed, "#"))
	for i := range d.Accounts {
		a := &d.Accounts[i]
		if strings.HasPrefix(strings.ToLower(a.Main.Name), typed) || strings.HasPrefix(strings.ToLower(a.Username), typed) || strings.HasPrefix(strconv.FormatInt(a.User, 10), typed) {
			if found = append(found, a); len(found) == most {
				break
			}
		}
	}
	return found
}

// ending reads when something ends by itself: how long from now ("72h", "7d", "30m"), or a day or instant; not given: never.
func (x *call) ending(name string) (time.Time, error) {
	text := x.str(name)
	if text == "" || isForever(text) {
		return time.Time{}, nil
	}
	end, ok := endOf(text, x.now())
	if !ok || !end.After(x.now()) {
		return end, problem.New(problem.Usage, x.T(i18n.TableNoEnd, i18n.Args{"Given": quoted(text)}), x.T(i18n.TableNoEndCure))
	}
	return end, nil
}

// longestEnd is more than anybody means.
const longestEnd = 100 * 366 * 24 * time.Hour

func endOf(text string, now time.Time) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), t.Before(now.Add(longestEnd))
		}
	}
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if digits, is := strings.CutSuffix(text, suffix); is {
			n, err := strconv.ParseUint(digits, 10, 16)
			return now.Add(time.Duration(n) * unit), err == nil && time.Duration(n) < longestEnd/unit
		}
	}
	d, err := time.ParseDuration(text)
	return now.Add(d), err == nil && d < longestEnd
}
