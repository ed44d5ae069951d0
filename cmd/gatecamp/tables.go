package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// operatorTable describes one of the five tables; the commands of all of them are made from it.
type operatorTable struct {
	table       storage.Table
	name        string // of the family
	short, long string
	subject     string // what an entry is about, as the usage writes it
	noun        string // and as a sentence does
	effect      string // of an entry, completing "ROLE 123 "
	example     string // arguments of add
	none        string // what list says of an empty table
}

func operatorTables() []operatorTable {
	return []operatorTable{
		{
			table: storage.Exemptions, name: "exempt", short: "roles that are never managed", subject: "ROLE", noun: "role",
			long:   "An exempt role is left alone, whatever it is called: it makes no finding and is never taken away.",
			effect: "is never managed", example: "112233445566778899 --reason \"event role, handed out by the fleet bot\"",
			none: "No role is exempt.",
		},
		{
			table: storage.Protections, name: "protect", short: "members who are never acted on", subject: "MEMBER", noun: "member",
			long:   "A protected member is still looked at and reported; nothing is taken from them and they are not kicked.",
			effect: "is never acted on", example: "112233445566778899 --expires 30d --reason \"diplomat of a friendly alliance\"",
			none: "No member is protected.",
		},
		{
			table: storage.BotAccounts, name: "botaccount", short: "accounts that are bots, besides those that Discord marks", subject: "MEMBER", noun: "account",
			long:   "Discord's own bot flag is enough for real bots. Name here what is a bot and has no such flag; it is reported, never acted on.",
			effect: "counts as a bot", example: "112233445566778899 --reason \"relay account of the intel channel\"",
			none: "No account is named as a bot; those with Discord's bot flag need no entry.",
		},
		{
			table: storage.Overrides, name: "override", short: "what is done about one member, instead of the policy", subject: "MEMBER", noun: "member",
			long: "An override replaces the policy's answer for one member. It passes no gate and no brake: under the first-run lock, a pause or a dry run it\n" +
				"changes nothing. --single-use ends it after it was carried out once.",
			effect: "is decided about by this entry", example: "112233445566778899 --action report --expires 7d --reason \"talks are going on\"",
			none: "No member has an override.",
		},
		{
			table: storage.Identities, name: "identity", short: "which Discord account belongs, or belonged, to which Auth user", subject: "DISCORD_ID", noun: "account",
			long: "An account that Auth does not link, but that belongs to a user of Auth, is no stranger: it is an old account of someone. Accounts that were\n" +
				"linked once are remembered by themselves, as historical; here operators name others.",
			effect: "belongs to an Auth user", example: "112233445566778899 --user 42 --reason \"old account, confirmed in a call\"",
			none: "No earlier account is known.",
		},
	}
}

func (c *console) tableCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, t := range operatorTables() {
		all = append(all, family(t.name, t.short, c.tableAdd(t), c.tableRemove(t), c.tableList(t)))
	}
	return all
}

// tableEntry is what `add` was asked for, as it was written.
type tableEntry struct {
	reason, expires, action string
	singleUse               bool
	user                    int64
}

func (c *console) tableAdd(t operatorTable) *cobra.Command {
	var e tableEntry
	cmd := &cobra.Command{
		Use: "add " + t.subject, Short: "add an entry, with a reason: the " + t.noun + " " + t.effect,
		Long: t.long, Example: "  gatecamp " + t.name + " add " + t.example, Args: cobra.ExactArgs(1),
	}
	cmd.RunE = c.change(t.name+" add", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(e.reason)
		if err != nil {
			return err
		}
		x, err := s.exception(t, args[0], e)
		if err != nil {
			return err
		}
		return s.except(ctx, t, x, by)
	})
	flags := cmd.Flags()
	reasonFlag(cmd, &e.reason)
	switch t.table {
	case storage.Overrides:
		flags.StringVar(&e.action, "action", "", "report, strip (take managed roles) or strip_kick (and kick) (required)")
		flags.BoolVar(&e.singleUse, "single-use", false, "ends after it was carried out once")
	case storage.Identities:
		flags.Int64Var(&e.user, "user", 0, "the `ID` of the user in Auth, see `gatecamp source accounts` (required)")
	case storage.Exemptions, storage.Protections, storage.BotAccounts:
	}
	if t.table != storage.Identities {
		flags.StringVar(&e.expires, "expires", "", "when it ends by itself: a `TIME` such as 2026-12-31T18:00:00Z, or how long from now: 72h, 7d")
	}
	return cmd
}

// exception reads what `add` was asked for.
func (s *session) exception(t operatorTable, subject string, e tableEntry) (x storage.Exception, err error) {
	x = storage.Exception{Guild: s.guild, Table: t.table, Action: e.action, SingleUse: e.singleUse, User: e.user}
	if x.Subject, err = parseID(t.subject, subject); err != nil {
		return x, err
	}
	if x.Expires, err = s.parseEnd(e.expires); err != nil {
		return x, err
	}
	switch t.table {
	case storage.Overrides:
		if _, ok := audit.ParseAct(e.action); !ok {
			return x, problem.New(problem.Usage, fmt.Sprintf("--action: %s is no action; nothing was changed", quoted(e.action)), "give report, strip or strip_kick")
		}
	case storage.Identities:
		x.Source = audit.Operator.String()
		if e.user < 1 {
			return x, problem.New(problem.Usage, "--user: an identity needs the Auth user whom the account belongs to; nothing was changed", "give the user's id as `gatecamp source accounts` lists it")
		}
	case storage.Exemptions:
		if x.Subject == s.guild {
			return x, problem.New(problem.Usage, "that is @everyone, which is never managed anyway; nothing was changed", "name another role")
		}
	case storage.Protections, storage.BotAccounts:
	}
	return x, nil
}

// except adds the row. Whoever sits at the console is named by the system alone, so no account of theirs is known.
func (s *session) except(ctx context.Context, t operatorTable, x storage.Exception, by storage.Author) error {
	if t.table == storage.Identities {
		if err := s.checkUser(ctx, x.User); err != nil {
			return err
		}
	}
	stored, err := s.engine(nil).Except(ctx, s.person(), nil, x, by)
	if err != nil {
		return err
	}
	s.say("%s %d %s%s (entry %d).", sentence(t.noun), stored.Subject, effectOf(t, stored), until(stored.Expires), stored.ID)
	return nil
}

// person is whoever sits at the console.
func (s *session) person() reconcile.Person { return reconcile.Person{Ref: s.actor()} }

func effectOf(t operatorTable, x storage.Exception) string {
	switch t.table {
	case storage.Overrides:
		text := "gets " + x.Action + " instead of what the policy says"
		if x.SingleUse {
			text += ", once"
		}
		return text
	case storage.Identities:
		return fmt.Sprintf("belongs to Auth's user %d", x.User)
	case storage.Exemptions, storage.Protections, storage.BotAccounts:
	}
	return t.effect
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// checkUser refuses a user whom Auth does not have; where Auth cannot be asked, that is said.
func (s *session) checkUser(ctx context.Context, user int64) error {
	d, why, err := s.directory(ctx)
	if err != nil {
		return err
	}
	if d == nil {
		s.say("The user %d was not looked up, because Auth could not be asked: %s.", user, why)
		return nil
	}
	a, known := d.Account(user)
	if !known {
		return problem.New(problem.Usage, fmt.Sprintf("Auth has no user %d; nothing was changed", user), "see `gatecamp source accounts`")
	}
	s.say("User %d is %s in Auth.", user, quoted(a.Username))
	return nil
}

func (c *console) tableRemove(t operatorTable) *cobra.Command {
	var reason string
	var user int64
	cmd := &cobra.Command{
		Use: "remove " + t.subject, Short: "end an entry, with a reason; the record keeps it",
		Example: "  gatecamp " + t.name + " remove 112233445566778899 --reason \"no longer needed\"", Args: cobra.ExactArgs(1),
	}
	cmd.RunE = c.change(t.name+" remove", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		subject, err := parseID(t.subject, args[0])
		if err != nil {
			return err
		}
		if user < 0 {
			return problem.Usagef("--user: %d is no user's id; nothing was changed", user)
		}
		x, err := s.entryOf(ctx, t, subject, user)
		if err != nil {
			return err
		}
		gone, err := s.engine(nil).Lift(ctx, s.person(), nil, x, by)
		if err != nil {
			return err
		}
		s.say("Entry %d is removed: %s %d no longer %s.", gone.ID, t.noun, gone.Subject, noLonger(t, gone))
		return nil
	})
	reasonFlag(cmd, &reason)
	if t.table == storage.Identities {
		cmd.Flags().Int64Var(&user, "user", 0, "the `ID` of the user in Auth, where the account is named for several")
	}
	return cmd
}

func noLonger(t operatorTable, x storage.Exception) string {
	switch t.table {
	case storage.Exemptions:
		return "is exempt"
	case storage.Protections:
		return "is protected"
	case storage.BotAccounts:
		return "counts as a bot by this list"
	case storage.Overrides:
		return "has an override"
	case storage.Identities:
		return fmt.Sprintf("belongs to Auth's user %d", x.User)
	}
	return t.effect
}

// entryOf finds the one entry in force about a subject.
func (s *session) entryOf(ctx context.Context, t operatorTable, subject snowflake.ID, user int64) (x storage.Exception, err error) {
	rows, err := s.db.Exceptions(ctx, s.guild, storage.ExceptionFilter{Table: t.table, Subject: subject})
	if err != nil {
		return x, err
	}
	at := s.now().UTC()
	rows = slices.DeleteFunc(rows, func(x storage.Exception) bool { return !x.InForce(at) || user != 0 && x.User != user })
	switch len(rows) {
	case 1:
		return rows[0], nil
	case 0:
		return x, problem.New(problem.Usage, fmt.Sprintf("no entry about %s %d is in force; nothing was changed", t.noun, subject), "see `gatecamp "+t.name+" list`")
	}
	users := make([]string, len(rows))
	for i, x := range rows {
		users[i] = strconv.FormatInt(x.User, 10)
	}
	return x, problem.New(problem.Usage, fmt.Sprintf("account %d is named for several users (%s); nothing was changed", subject, strings.Join(users, ", ")), "say which with --user ID")
}

// exceptionLine is a row for programs.
type exceptionLine struct {
	ID            int64  `json:"id"`
	Subject       string `json:"subject"`
	Action        string `json:"action,omitempty"`
	SingleUse     bool   `json:"single_use,omitempty"`
	User          int64  `json:"user,omitempty"`
	Source        string `json:"source,omitempty"`
	Reason        string `json:"reason"`
	Actor         string `json:"actor"`
	Approver      string `json:"approver,omitempty"`
	Created       any    `json:"created"`
	Expires       any    `json:"expires"`
	State         string `json:"state"`
	Removed       any    `json:"removed,omitempty"`
	RemovedBy     string `json:"removed_by,omitempty"`
	RemovedReason string `json:"removed_reason,omitempty"`
}

func (c *console) tableList(t operatorTable) *cobra.Command {
	var f format
	var all bool
	cmd := &cobra.Command{Use: "list", Short: "list the entries in force; --all lists ended ones too", Args: cobra.NoArgs}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		rows, err := s.db.Exceptions(ctx, s.guild, storage.ExceptionFilter{Table: t.table, All: all})
		if err != nil {
			return err
		}
		if !all {
			at := s.now().UTC()
			rows = slices.DeleteFunc(rows, func(x storage.Exception) bool { return !x.InForce(at) })
		}
		return f.print(s.out, s.exceptionList(t, rows))
	})
	cmd.Flags().BoolVar(&all, "all", false, "removed, expired and used-up ones too")
	f.flags(cmd)
	return noted(cmd, noteJSON, `one line an entry: {"id", "subject", "reason", "actor", "approver", "created", "expires": time|null, "state": "in_force"|"expired"|"used"|"removed", "removed", "removed_by", "removed_reason"}; overrides also "action", "single_use", identities "user", "source"`)
}

func (s *session) exceptionList(t operatorTable, rows []storage.Exception) *list {
	l := list{columns: []string{"id", strings.ToLower(t.subject)}, empty: t.none}
	switch t.table {
	case storage.Overrides:
		l.columns = append(l.columns, "action", "single use")
	case storage.Identities:
		l.columns = append(l.columns, "user", "source")
	case storage.Exemptions, storage.Protections, storage.BotAccounts:
	}
	l.columns = append(l.columns, "state", "expires", "actor", "created", "reason")
	for _, x := range rows {
		state := stateOf(x, s)
		cells := []string{strconv.FormatInt(x.ID, 10), x.Subject.String()}
		switch t.table {
		case storage.Overrides:
			cells = append(cells, x.Action, yes(x.SingleUse))
		case storage.Identities:
			cells = append(cells, strconv.FormatInt(x.User, 10), x.Source)
		case storage.Exemptions, storage.Protections, storage.BotAccounts:
		}
		line := exceptionLine{
			ID: x.ID, Subject: x.Subject.String(), Action: x.Action, SingleUse: x.SingleUse, User: x.User, Source: x.Source, Reason: x.Reason,
			Actor: x.Actor, Approver: x.Approver, Created: reconcile.LineTime(x.Created), Expires: reconcile.LineTime(x.Expires), State: state,
		}
		if !x.Removed.IsZero() {
			line.Removed, line.RemovedBy, line.RemovedReason = reconcile.LineTime(x.Removed), x.RemovedBy, x.RemovedReason
		}
		l.add(line, append(cells, strings.ReplaceAll(state, "_", " "), orNever(x.Expires), x.Actor, eveTime(x.Created), x.Reason)...)
	}
	return &l
}

func stateOf(x storage.Exception, s *session) string {
	at := s.now().UTC()
	switch {
	case x.InForce(at):
		return "in_force"
	case !x.Removed.IsZero():
		return "removed"
	case !x.Used.IsZero():
		return "used"
	}
	return "expired"
}
