package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/notify"
	"gatecamp/storage"
)

// Discord's limits for embeds (docs: resources/message), in characters, with room to spare.
const (
	mostText  = 4000
	mostField = 1000
	mostShown = 10 // members whom a summary names
)

// inert is another person's text: on one line, and it cannot format, mention or move anything.
func inert(text string) string {
	return "`" + strings.Map(func(c rune) rune {
		switch {
		case c == '`':
			return '\''
		case unicode.IsControl(c), unicode.Is(unicode.Cf, c):
			return '\uFFFD'
		}
		return c
	}, text) + "`"
}

// person is a member in the one form: mention, main character, Auth user, id.
func person(id snowflake.ID, main string) string {
	text := fmt.Sprintf("<@%d>", id)
	if main != "" {
		text += " " + main
	}
	return fmt.Sprintf("%s `%d`", text, id)
}

// mainOf names the accounts in Auth that are linked to a member.
func mainOf(d *audit.Directory, id snowflake.ID) string {
	if d == nil {
		return ""
	}
	var parts []string
	for _, i := range d.Linked(id) {
		a := &d.Accounts[i]
		text := inert(a.Username)
		if a.Main.Name != "" {
			text = inert(a.Main.Name) + " (" + text + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func roleNames(roles []audit.Role, set audit.RoleSet) (names []string, ids []snowflake.ID) {
	for i := range set.All() {
		names, ids = append(names, inert(roles[i].Name)), append(ids, roles[i].ID)
	}
	return names, ids
}

// lines are the findings of a live look that were not told lately, those with a privileged role apart, and what was done.
func (b *Board) lines(r *reconcile.Report) (alerts, others []boardLine) {
	if r == nil || r.Look == nil || r.Look.Scene == nil {
		return nil, nil
	}
	if r.Contain != nil {
		return []boardLine{b.contained(r)}, nil
	}
	scene := r.Look.Scene
	var told []snowflake.ID // of alerts
	for i := range r.Decisions {
		d := &r.Decisions[i]
		if !d.Category.IsFinding() || !b.isNew(d.Member, fmt.Sprint(d.Category, d.Held)) {
			continue
		}
		line := boardLine{member: d.Member, main: mainOf(scene.Auth, d.Member), at: time.Now()}
		args := i18n.Args{"Category": b.cfg.Printer().Category(d.Category)}
		if d.Alarming.Empty() {
			names, ids := roleNames(scene.Guild.Roles, d.Held)
			args["Roles"], line.roles = b.cfg.Printer().List(names), ids
			line.text = b.cfg.Printer().T(i18n.BoardFinding, args)
			others = append(others, line)
			continue
		}
		names, ids := roleNames(scene.Guild.Roles, d.Alarming)
		args["Roles"], line.roles = b.cfg.Printer().List(names), ids
		line.text = b.cfg.Printer().T(i18n.BoardAlert, args) + " " + b.cameTo(r, d)
		alerts = append(alerts, line)
		told = append(told, d.Member)
	}
	for _, o := range r.Outcomes {
		if slices.Contains(told, o.Action.Member) {
			continue // its line says so
		}
		others = append(others, boardLine{member: o.Action.Member, main: mainOf(scene.Auth, o.Action.Member), text: b.outcome(scene, o)})
	}
	return alerts, others
}

// contained says who was to be contained on the word of which rule, what was taken, and why no more.
func (b *Board) contained(r *reconcile.Report) boardLine {
	p, d := b.cfg.Printer(), &r.Decisions[0]
	line := boardLine{member: r.Contain.Member, main: mainOf(r.Look.Scene.Auth, r.Contain.Member), at: time.Now()}
	what := b.cameTo(r, d)
	switch {
	case d.Layer != audit.LayerContain:
		why := []string{p.Layer(d.Layer, "")}
		for reason := range d.Reasons.All() {
			why = append(why, p.Reason(reason))
		}
		what = p.T(i18n.BoardSpared, i18n.Args{"Why": strings.Join(why, "; ")})
	case len(r.Plan.Actions) == 0:
		what = p.T(i18n.BoardNoPrivilege)
	}
	if !d.Unreachable.Empty() {
		names, _ := roleNames(r.Look.Scene.Guild.Roles, d.Unreachable)
		what += " " + p.T(i18n.BoardOutOfReach, i18n.Args{"Roles": p.List(names)})
	}
	line.text = p.T(i18n.BoardContain, i18n.Args{"Rule": inert(r.Contain.Rule), "What": what})
	return line
}

// cameTo says what was done at once about an alarming finding, or why nothing was.
func (b *Board) cameTo(r *reconcile.Report, d *audit.Decision) string {
	var done []string
	for _, o := range r.Outcomes {
		if o.Action.Member == d.Member {
			done = append(done, b.outcome(r.Look.Scene, o))
		}
	}
	if len(done) > 0 {
		return strings.Join(done, "; ") + "."
	}
	var why []string
	for _, a := range r.Plan.Actions {
		for _, by := range a.Held {
			role := ""
			if i := slices.IndexFunc(r.Look.Scene.Guild.Roles, func(r audit.Role) bool { return r.ID == a.Role }); i >= 0 {
				role = inert(r.Look.Scene.Guild.Roles[i].Name)
			}
			if text := b.cfg.Printer().Hold(by.String(), role); a.Member == d.Member && !slices.Contains(why, text) {
				why = append(why, text)
			}
		}
	}
	if len(why) > 0 {
		return b.cfg.Printer().T(i18n.BoardHeld, i18n.Args{"Why": strings.Join(why, "; ")})
	}
	return b.cfg.Printer().T(i18n.BoardLeft)
}

// outcome says what was done to somebody, and what came of it.
func (b *Board) outcome(scene *audit.Scene, o audit.Outcome) string {
	role := ""
	if o.Action.Role != 0 {
		role = b.cfg.Printer().T(i18n.NotifyRoleGone)
		if i := slices.IndexFunc(scene.Guild.Roles, func(r audit.Role) bool { return r.ID == o.Action.Role }); i >= 0 {
			role = inert(scene.Guild.Roles[i].Name)
		}
	}
	text := b.cfg.Printer().T(i18n.BoardOutcome, i18n.Args{"Kind": b.cfg.Printer().Kind(o.Action.Kind, role), "Result": b.cfg.Printer().Result(o.Result)})
	if o.Code != "" && o.Result != audit.Done {
		what, _ := b.cfg.Printer().Code(o.Code)
		text += " (" + what + ")"
	}
	return text
}

// troubleKeys are the texts of what goes wrong, by code.
var troubleKeys = map[string]i18n.Key{
	TroubleOverflow: i18n.BoardOverflow, TroubleSlow: i18n.BoardSlow, TroubleMissed: i18n.BoardMissed, TroubleDrift: i18n.BoardDrift,
	TroubleLost: i18n.BoardLost, TroubleBack: i18n.BoardBack, TroubleReach: i18n.BoardReach, TroubleLook: i18n.BoardLook,
	TroubleLookOver: i18n.BoardLookOver, TroubleGaveUp: i18n.BoardGaveUp, TroubleFight: i18n.BoardFight, TroubleAuditLog: i18n.BoardAuditLog, TroubleStore: i18n.BoardStore,
	TroubleEntries: i18n.BoardEntries, TroubleAuth: i18n.BoardAuth, TroubleAuthBack: i18n.BoardAuthBack, TroubleAuthWait: i18n.BoardAuthWait,
	TroubleRun: i18n.BoardRun, TroubleGateway: i18n.BoardGateway, TroubleWebhook: i18n.BoardWebhook, TroubleOverdue: i18n.ScheduleLateTitle,
	TroubleRule: i18n.RuleFailed, TroubleRules: i18n.RuleFile, TroubleDropped: i18n.RuleDropped,
}

// detailed are the troubles whose detail is for people; the details of the others are in the log.
var detailed = []string{TroubleReach, TroubleFight, TroubleRun, TroubleDrift, TroubleOverflow, TroubleSlow, TroubleOverdue, TroubleRule, TroubleRules}

// trouble is a line about something that goes wrong.
func (b *Board) trouble(code, detail string, again int) boardLine {
	key, known := troubleKeys[code]
	text := inert(code)
	if known {
		text = b.cfg.Printer().T(key)
	}
	if code == TroubleContain {
		var l boardLine
		var rule string
		if _, err := fmt.Sscan(detail, &l.member, &rule); err == nil {
			l.text = b.cfg.Printer().T(i18n.BoardContainFailed, i18n.Args{"Rule": inert(rule)})
			return l
		}
	}
	if code == TroubleRejoins {
		var l boardLine
		var times int
		if _, err := fmt.Sscan(detail, &l.member, &times); err == nil {
			l.text = b.cfg.Printer().N(i18n.BoardRejoins, times)
			return l
		}
	}
	if code == TroubleReach && detail == "" {
		text = b.cfg.Printer().T(i18n.BoardReachBack)
	}
	if detail != "" && slices.Contains(detailed, code) {
		text += " (" + inert(cutTo(detail, 300)) + ")"
	}
	if again > 0 {
		text += " " + b.cfg.Printer().N(i18n.BoardAgain, again)
	}
	return boardLine{text: text}
}

// show writes lines out, with the names of people and who gave them a role, as far as that is known.
func (b *Board) show(ctx context.Context, lines []boardLine) []string {
	names, givers := b.named(ctx, lines), b.given(ctx, lines)
	shown := make([]string, len(lines))
	for i, l := range lines {
		if l.member == 0 {
			shown[i] = l.text
			continue
		}
		if l.main == "" && names[l.member] != "" {
			l.main = inert(names[l.member])
		}
		shown[i] = person(l.member, l.main) + ": " + l.text
		if actor := givers[i]; actor != 0 {
			shown[i] += " " + b.cfg.Printer().T(i18n.BoardGiven, i18n.Args{"Actor": fmt.Sprintf("<@%d> `%d`", actor, actor)})
		}
	}
	return shown
}

// askWithin bounds questions for names and givers: a line is worth more than what stands beside it.
const askWithin = time.Second

// named asks what people are called whom Auth does not know.
func (b *Board) named(ctx context.Context, lines []boardLine) map[snowflake.ID]string {
	var ids []snowflake.ID
	for _, l := range lines {
		if l.member != 0 && l.main == "" && !slices.Contains(ids, l.member) {
			ids = append(ids, l.member)
		}
	}
	if len(ids) == 0 || b.cfg.Names == nil {
		return nil
	}
	ctx, end := context.WithTimeout(ctx, askWithin)
	defer end()
	names, err := b.cfg.Names(ctx, ids)
	if err != nil {
		b.cfg.Log.InfoContext(ctx, "names are not known", "guild", b.cfg.Guild, "error", err)
	}
	return names
}

// given says who gave the roles of each line, as of when it was noted: of several the one who gave the last.
func (b *Board) given(ctx context.Context, lines []boardLine) map[int]snowflake.ID {
	var ids []snowflake.ID
	for _, l := range lines {
		if l.member != 0 && len(l.roles) > 0 && !slices.Contains(ids, l.member) {
			ids = append(ids, l.member)
		}
	}
	if len(ids) == 0 || b.cfg.Givers == nil {
		return nil
	}
	ctx, end := context.WithTimeout(ctx, askWithin)
	defer end()
	grants, err := b.cfg.Givers.RoleGrants(ctx, b.cfg.Guild, ids, time.Now().Add(-toldLasts))
	if err != nil {
		b.cfg.Log.InfoContext(ctx, "who gave a role is not known", "guild", b.cfg.Guild, "error", err)
	}
	givers := map[int]snowflake.ID{}
	for n, l := range lines {
		i := slices.IndexFunc(grants, func(g storage.RoleGrant) bool { // newest first
			return g.Added && g.Member == l.member && slices.Contains(l.roles, g.Role) && !g.At.After(l.at.Add(entryLate))
		})
		if i >= 0 {
			givers[n] = grants[i].Actor
		}
	}
	return givers
}

// entryLate is how long after a change Discord's audit log may tell of it.
const entryLate = 2 * time.Second

// lineMessage is a message of lines that cannot wait.
func (b *Board) lineMessage(ctx context.Context, alerts, troubles []boardLine, dropped int) notify.Message {
	m := notify.Message{Title: b.cfg.Printer().T(i18n.BoardTrouble), Tone: notify.Held, At: time.Now()}
	if len(alerts) > 0 {
		m.Title, m.Tone = b.cfg.Printer().N(i18n.BoardAlerts, len(alerts)), notify.Trouble
	}
	m.Text = bulleted(slices.Concat(b.show(ctx, alerts), b.show(ctx, troubles)), mostText)
	if dropped > 0 {
		m.Footer = b.cfg.Printer().N(i18n.BoardDropped, dropped)
	}
	return m
}

// gatheredMessage is a message of findings that could wait.
func (b *Board) gatheredMessage(ctx context.Context, lines []boardLine, more int) notify.Message {
	m := notify.Message{
		Title: b.cfg.Printer().N(i18n.BoardGathered, len(lines)+more), Tone: notify.Quiet, At: time.Now(),
		Text: bulleted(b.show(ctx, lines), mostText),
	}
	if more > 0 {
		m.Footer = b.cfg.Printer().N(i18n.BoardMore, more)
	}
	return m
}

// progress is the message about a run at work.
func (b *Board) progress(p *runPost) notify.Message {
	t, o := b.cfg.Printer(), p.run.Order
	m := notify.Message{
		Title: t.T(i18n.NotifyTitle, i18n.Args{"Run": p.run.ID, "State": t.RunState(storage.Running)}), Tone: notify.Acted, Text: t.T(i18n.BoardReading),
		Fields: []notify.Field{{Name: t.T(i18n.BoardOrdered), Value: b.actor(o.Actor)}, {Name: t.T(i18n.BoardMode), Value: b.mode(o)}},
		Footer: t.T(i18n.BoardHow, i18n.Args{"Run": p.run.ID}), At: p.run.Started,
	}
	if o.DryRun {
		m.Tone = notify.Quiet
	}
	if p.of > 0 {
		left := t.T(i18n.BoardNobodyKnows)
		if p.done > 0 {
			left = t.Duration(time.Since(p.acting) / time.Duration(p.done) * time.Duration(p.of-p.done))
		}
		m.Text = t.T(i18n.BoardProgress, i18n.Args{"Done": t.Number(p.done), "Of": t.Number(p.of), "Left": left})
	}
	return m
}

// mode says what a run may do.
func (b *Board) mode(o storage.Order) string {
	act, known := audit.ParseAct(o.Mode)
	switch {
	case o.DryRun:
		return b.cfg.Printer().T(i18n.BoardDry)
	case known:
		return b.cfg.Printer().Act(act)
	}
	return b.cfg.Printer().T(i18n.BoardPolicy)
}

// actor names who ordered something: a person at Discord, or whoever it was.
func (b *Board) actor(actor string) string {
	if id, is := strings.CutPrefix(actor, "discord:"); is {
		if n, err := snowflake.Parse(id); err == nil {
			return fmt.Sprintf("<@%d> `%d`", n, n)
		}
	}
	if actor == reconcile.SystemActor || actor == "" {
		return b.cfg.Printer().T(i18n.BoardSystem)
	}
	return inert(actor)
}

// summary is the message about a run that ended, with those who were acted on, and whether anybody would miss it.
func (b *Board) summary(r *reconcile.Report, err error) (m notify.Message, news bool) {
	m = notify.Render(b.cfg.Printer(), b.cfg.Summary(r))
	if words := wordsOf(err); words != "" {
		m.Text = cutTo(m.Text+" "+inert(words), mostText)
	}
	news = m.Tone != notify.Quiet || r.Counts.Findings.Opened+r.Counts.Findings.Changed+r.Counts.Findings.Closed > 0
	if r.Look == nil || r.Look.Scene == nil {
		return m, news
	}
	scene := r.Look.Scene
	var alarming, done []string
	for i := range r.Decisions {
		if d := &r.Decisions[i]; !d.Alarming.Empty() && d.Category.IsFinding() {
			names, _ := roleNames(scene.Guild.Roles, d.Alarming)
			alarming = append(alarming, person(d.Member, mainOf(scene.Auth, d.Member))+": "+b.cfg.Printer().List(names))
			b.isNew(d.Member, fmt.Sprint(d.Category, d.Held)) // told by this
		}
	}
	for _, o := range r.Outcomes {
		done = append(done, person(o.Action.Member, mainOf(scene.Auth, o.Action.Member))+": "+b.outcome(scene, o))
	}
	for _, f := range []struct {
		name  i18n.Key
		lines []string
	}{{i18n.BoardAlarming, alarming}, {i18n.BoardTouched, done}} {
		if len(f.lines) > 0 {
			m.Fields = append(m.Fields, notify.Field{Name: b.cfg.Printer().T(f.name), Value: b.some(f.lines)})
		}
	}
	return m, news
}

// some are the first lines of a list, and how many more there are.
func (b *Board) some(lines []string) string {
	n := min(len(lines), mostShown)
	for ; n > 0; n-- {
		text := strings.Join(lines[:n], "\n")
		if more := len(lines) - n; more > 0 {
			text += "\n" + b.cfg.Printer().N(i18n.BoardMore, more)
		}
		if len([]rune(text)) <= mostField {
			return text
		}
	}
	return b.cfg.Printer().N(i18n.BoardMore, len(lines))
}

// bulleted puts each line on its own, as many whole ones as fit.
func bulleted(lines []string, most int) string {
	var text strings.Builder
	room := most
	for _, l := range lines {
		l = "• " + cutTo(l, most/4) + "\n"
		if room -= len([]rune(l)); room < 0 {
			break
		}
		text.WriteString(l)
	}
	return strings.TrimRight(text.String(), "\n")
}

func cutTo(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
