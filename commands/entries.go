package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// directory reads Auth: whoever changes what gatecamp goes by is known by it, and so are the users that are named.
func (x *call) directory(ctx context.Context) (*audit.Directory, error) {
	r, err := x.house.Engine.ReadSource(ctx)
	if err != nil {
		return nil, err
	}
	if r.Directory == nil {
		return nil, refuse("auth_unreadable", x.T(i18n.TableAuthAway), x.T(i18n.TableAuthAwayCure))
	}
	return r.Directory, nil
}

// person is whoever asks, with every account that is known to be theirs.
func (x *call) person(ctx context.Context, d *audit.Directory) (reconcile.Person, error) {
	p := reconcile.Person{Ref: x.actor(), Discord: []snowflake.ID{x.caller.Discord}}
	rows, err := x.cfg.Store.ExceptionsAt(ctx, x.guild, x.now())
	if err != nil {
		return p, err
	}
	rows = slices.DeleteFunc(rows, func(e storage.Exception) bool { return e.Table != storage.Identities })
	for _, i := range d.Linked(x.caller.Discord) {
		p.Users = append(p.Users, d.Accounts[i].User)
	}
	for _, e := range rows {
		if e.Subject == x.caller.Discord && !slices.Contains(p.Users, e.User) {
			p.Users = append(p.Users, e.User)
		}
	}
	for _, user := range p.Users {
		if a, known := d.Account(user); known && a.Discord != 0 {
			p.Discord = append(p.Discord, a.Discord)
		}
	}
	for _, e := range rows {
		if slices.Contains(p.Users, e.User) {
			p.Discord = append(p.Discord, e.Subject)
		}
	}
	return p, nil
}

// addEntry adds an entry, unless it is about the person's own account or there already.
func (x *call) addEntry(ctx context.Context, t table, e storage.Exception, d *audit.Directory) (*answer, error) {
	there, err := x.inForce(ctx, t, e.Subject, e.User)
	if err != nil {
		return nil, err
	}
	if len(there) > 0 {
		args := i18n.Args{"Entry": t.entryWords(x.Printer, there[0]), "By": whoWords(there[0].Actor), "Command": "`/" + t.name + " remove`"}
		return nil, problem.New(problem.Usage, x.T(i18n.TableThere, args), x.T(i18n.TableThereCure, args))
	}
	by, err := x.second(ctx, t, e, d, false)
	if err != nil {
		return nil, err
	}
	stored, err := x.house.Engine.Except(ctx, by, nil, e, x.author(x.str("reason")))
	if err != nil {
		return nil, x.faster(err)
	}
	return x.changed(ctx, t, stored, x.T(i18n.TableAdded, i18n.Args{"Table": x.Table(t.of)}))
}

// removeEntry ends an entry; the record keeps it.
func (x *call) removeEntry(ctx context.Context, t table, e storage.Exception, d *audit.Directory) (*answer, error) {
	by, err := x.second(ctx, t, e, d, true)
	if err != nil {
		return nil, err
	}
	gone, err := x.house.Engine.Lift(ctx, by, nil, e, x.author(x.str("reason")))
	if err != nil {
		return nil, x.faster(err)
	}
	return x.changed(ctx, t, gone, x.T(i18n.TableRemoved, i18n.Args{"Table": x.Table(t.of)}))
}

// second refuses what is about the person's own account: that is for somebody else to do.
func (x *call) second(ctx context.Context, t table, e storage.Exception, d *audit.Directory, lift bool) (reconcile.Person, error) {
	by, err := x.person(ctx, d)
	if err == nil && by.NeedsSecond(e, lift) {
		err = refuse("second_person_needed", x.T(i18n.TableOwn), x.T(i18n.TableOwnCure, i18n.Args{"Right": code(t.right.String())}))
	}
	return by, err
}

// faster turns the engine's word for "somebody else did that just now" into the person's.
func (x *call) faster(err error) error {
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return problem.New(problem.Usage, x.T(i18n.TableFaster), x.T(i18n.FrameAskAgain)).Because(err)
	}
	return err
}

// changed tells of an entry that was added or removed, and records the attempt.
func (x *call) changed(ctx context.Context, t table, e storage.Exception, title string) (*answer, error) {
	if err := x.accept(ctx, x.find(x.path), 0); err != nil {
		return nil, err
	}
	return &answer{
		tone: toneDone, title: title, text: t.entryWords(x.Printer, e),
		fields: []field{{name: x.T(i18n.TableReason), value: plain(oneLine(x.str("reason")))}},
		footer: x.T(i18n.TableEntry, i18n.Args{"Entry": e.ID}),
	}, nil
}

// subjectWords is what an entry is about.
func (t table) subjectWords(id snowflake.ID) string {
	if t.of == storage.Exemptions {
		return mentionRole(id) + " " + code(id.String())
	}
	return mentionMember(id) + " " + code(id.String())
}

// entryWords says what an entry does, and until when.
func (t table) entryWords(p *i18n.Printer, e storage.Exception) string {
	args := i18n.Args{"Subject": t.subjectWords(e.Subject)}
	switch t.of {
	case storage.Overrides:
		act, _ := audit.ParseAct(e.Action)
		args["Act"] = p.Act(act)
	case storage.Identities:
		args["User"] = e.User
	case storage.Exemptions, storage.Protections, storage.BotAccounts:
	}
	words := p.T(t.effect, args)
	if e.SingleUse {
		words += " " + p.T(i18n.TableOnce)
	}
	if !e.Expires.IsZero() {
		words += " " + p.T(i18n.TableUntil, i18n.Args{"At": stamp(e.Expires)})
	}
	return words
}

// entryRow is an entry for programs.
type entryRow struct {
	ID        int64  `json:"id"`
	Subject   string `json:"subject"`
	Action    string `json:"action,omitempty"`
	SingleUse bool   `json:"single_use,omitempty"`
	User      int64  `json:"user,omitempty"`
	Source    string `json:"source,omitempty"`
	Reason    string `json:"reason"`
	Actor     string `json:"actor"`
	Approver  string `json:"approver,omitempty"`
	Created   any    `json:"created"`
	Expires   any    `json:"expires"`
}

// listing is the entries in force.
func (t table) listing(p *i18n.Printer, rows []storage.Exception) *list {
	l := &list{name: t.name, columns: []string{"id", t.subject, "action", "single_use", "user", "source", "expires", "actor", "created", "reason"}, empty: p.T(i18n.TableEmpty)}
	for _, e := range rows {
		line := func() string {
			return code("#"+strconv.FormatInt(e.ID, 10)) + " " + t.entryWords(p, e) + "\n↳ " + p.T(i18n.TableBy, i18n.Args{"By": whoWords(e.Actor), "At": shortStamp(e.Created), "Reason": cut(plain(e.Reason), 200)})
		}
		user := ""
		if e.User != 0 {
			user = strconv.FormatInt(e.User, 10)
		}
		l.rows = append(l.rows, row{
			line: line,
			cells: []string{
				strconv.FormatInt(e.ID, 10), e.Subject.String(), e.Action, strconv.FormatBool(e.SingleUse), user, e.Source, eveTime(e.Expires), e.Actor, eveTime(e.Created), e.Reason,
			},
			object: entryRow{e.ID, e.Subject.String(), e.Action, e.SingleUse, e.User, e.Source, e.Reason, e.Actor, e.Approver, reconcile.LineTime(e.Created), reconcile.LineTime(e.Expires)},
		})
	}
	return l
}

// shortStamp is a time as Discord shows it in everybody's own zone, short.
func shortStamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return "<t:" + strconv.FormatInt(t.Unix(), 10) + ":f>"
}
