package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/i18n"
	"gatecamp/storage"
)

// auditStatus says what is running and what stands in the way of anything.
func auditStatus() deed {
	return deed{name: "status", need: viewing(), public: true, do: func(ctx context.Context, x *call) (*answer, error) {
		a := &answer{title: x.T(i18n.StatusTitle)}
		for _, part := range []func(context.Context, *answer) error{x.statusRuns, x.statusGates, x.statusSources} {
			if err := part(ctx, a); err != nil {
				return nil, err
			}
		}
		x.statusProcess(ctx, a)
		return a, nil
	}}
}

// shownRuns is how many runs of the past a status shows.
const shownRuns = 5

func (x *call) statusRuns(ctx context.Context, a *answer) error {
	s := x.processStatus()
	runs, err := x.cfg.Store.Runs(ctx, x.guild, storage.RunFilter{Page: storage.Page{Limit: 50}})
	if err != nil {
		return err
	}
	var now, waiting, past []string
	for _, r := range runs {
		_, counts, err := reconcile.RunLineOf(r)
		if err != nil {
			return err
		}
		line := x.runWords(r, counts)
		switch {
		case r.State == storage.Running:
			now = append(now, line+x.progressWords(r, s))
		case r.State == storage.Pending, r.State == storage.Interrupted:
			waiting = append(waiting, line)
		case len(past) < shownRuns:
			past = append(past, line)
		}
	}
	if len(now) == 0 {
		now = []string{x.T(i18n.StatusIdle)}
	}
	a.fields = append(a.fields, field{name: x.T(i18n.StatusNow), value: lines(now)})
	if len(waiting) > 0 {
		a.fields = append(a.fields, field{name: x.T(i18n.StatusWaiting), value: lines(waiting)})
	}
	if len(past) > 0 {
		a.fields = append(a.fields, field{name: x.T(i18n.StatusPast), value: lines(past)})
	}
	switch {
	case s.Schedule == "":
	case s.Next.IsZero():
		a.fields = append(a.fields, field{name: x.T(i18n.StatusNext), value: x.T(i18n.StatusNoSchedule)})
	default:
		a.fields = append(a.fields, field{name: x.T(i18n.StatusNext), value: stamp(s.Next) + " · " + code(s.Schedule)})
	}
	return nil
}

// lines joins as many as an embed's field takes.
func lines(all []string) string {
	text := ""
	for _, l := range all {
		if len([]rune(text))+len([]rune(l)) > mostValue-10 {
			return text + "…"
		}
		text += l + "\n"
	}
	return strings.TrimSpace(text)
}

// progressWords says how far a run came, and when it will about be done at this pace.
func (x *call) progressWords(r storage.Run, s Status) string {
	if s.Working != r.ID || s.Of == 0 {
		return ""
	}
	text := " · " + x.T(i18n.StatusProgress, i18n.Args{"Done": x.Number(s.Done), "Of": x.Number(s.Of)})
	if s.Done > 0 && s.Done < s.Of {
		left := x.now().Sub(r.Started) / time.Duration(s.Done) * time.Duration(s.Of-s.Done)
		text += " · " + x.T(i18n.StatusLeft, i18n.Args{"Duration": x.Duration(left)})
	}
	return text
}

// statusGates says what holds changes: lock, pause, brakes that tripped.
func (x *call) statusGates(ctx context.Context, a *answer) error {
	var held []string
	ack, err := x.cfg.Store.Acknowledged(ctx, x.guild)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		held = append(held, "🔒 "+x.T(i18n.StatusLocked))
	case err != nil:
		return err
	default:
		sign, released := "🔓 ", i18n.StatusReleased
		if len(ack.Kinds) == 0 {
			sign, released = "🔒 ", i18n.StatusReleasedReports
		}
		held = append(held, sign+x.T(released, i18n.Args{"Run": ack.Run, "By": whoWords(ack.Actor), "At": stamp(ack.At), "Kinds": strings.ReplaceAll(x.kindsWords(ack.Kinds), "\n", ", ")}))
	}
	p, err := x.cfg.Store.Paused(ctx, x.guild)
	switch {
	case err == nil:
		held = append(held, "⏸️ "+x.T(i18n.StatusPaused, i18n.Args{"By": whoWords(p.Actor), "At": stamp(p.At), "Reason": plain(p.Reason)}))
		a.tone = toneWarn
	case !errors.Is(err, storage.ErrNotFound):
		return err
	}
	trips, err := x.cfg.Store.OpenTrips(ctx, x.guild)
	if err != nil {
		return err
	}
	for _, t := range trips {
		held = append(held, toneNo.sign()+" "+x.T(i18n.StatusTripped, i18n.Args{"Brake": x.Hold(t.Dimension, roleOfHold(t.Dimension)), "At": stamp(t.At)}))
		a.tone = toneWarn
	}
	a.fields = append(a.fields, field{name: x.T(i18n.StatusGates), value: lines(held)})
	return nil
}

// statusSources says how Auth looked at the last read.
func (x *call) statusSources(ctx context.Context, a *answer) error {
	last, err := x.cfg.Store.LastRead(ctx, reconcile.AuthSource)
	if errors.Is(err, storage.ErrNotFound) {
		a.fields = append(a.fields, field{name: x.T(i18n.StatusSources), value: x.T(i18n.StatusNeverRead)})
		return nil
	}
	if err != nil {
		return err
	}
	// Who compares Auth knows sooner than the record that it cannot be read.
	if now := x.processStatus(); now.Auth != "" && now.AuthAt.After(last.At) {
		last.Verdict, last.At = now.Auth, now.AuthAt
	}
	sign := toneDone.sign()
	if last.Verdict != audit.Healthy.String() {
		sign, a.tone = toneWarn.sign(), toneWarn
	}
	a.fields = append(a.fields, field{name: x.T(i18n.StatusSources), value: fmt.Sprintf("%s %s · %s", sign, x.T(i18n.StatusAuth, i18n.Args{"Health": x.healthWord(last.Verdict)}), stamp(last.At))})
	return nil
}

// healthWord is a stored verdict in words.
func (x *call) healthWord(verdict string) string {
	for _, h := range []audit.Health{audit.Healthy, audit.Doubtful, audit.Blind} {
		if h.String() == verdict {
			return x.Health(h)
		}
	}
	return verdict
}

// processStatus is what the running process says of itself.
func (x *call) processStatus() Status {
	if x.house.Status == nil {
		return Status{}
	}
	return x.house.Status()
}

// statusProcess says how the process stands: what it hears, what it has missed, whether its summaries arrive.
func (x *call) statusProcess(ctx context.Context, a *answer) {
	if x.house.Status == nil {
		return
	}
	s := x.house.Status()
	sign, roster := toneDone.sign(), x.T(i18n.StatusRosterWhole)
	if !s.Complete {
		sign, roster = toneWarn.sign(), x.T(i18n.StatusRosterPartial)
	}
	if !s.Connected {
		sign, roster, a.tone = toneNo.sign(), x.T(i18n.StatusNotConnected), toneWarn
	}
	inbox := x.T(i18n.StatusInbox, i18n.Args{
		"Waiting": x.N(i18n.CountMembers, s.Inbox), "Looks": x.Number(int(s.Looks)), "Sweeps": x.Number(int(s.Sweeps)), "Healed": x.Number(int(s.Healed)),
	})
	if s.Oldest > 0 {
		inbox += " · " + x.T(i18n.StatusOldest, i18n.Args{"Duration": x.Duration(s.Oldest)})
	}
	if s.Overflowed > 0 {
		inbox += " · " + toneWarn.sign() + " " + x.N(i18n.StatusOverflowed, int(s.Overflowed))
	}
	all := []string{sign + " " + roster, inbox}
	if !s.WebhookDead.IsZero() {
		all = append(all, toneNo.sign()+" "+x.T(i18n.StatusWebhookDead, i18n.Args{"At": stamp(s.WebhookDead)}))
		a.tone = toneWarn
	}
	for _, name := range x.openedToAll(ctx) {
		all = append(all, toneWarn.sign()+" "+x.T(i18n.StatusOpened, i18n.Args{"Command": code("/" + name)}))
		a.tone = toneWarn
	}
	a.fields = append(a.fields, field{name: x.T(i18n.StatusLive), value: lines(all)})
}

// openedToAll are commands that begin hidden, and that the server's settings show to everybody. Rights are asked all the same; what
// Discord does not say is not told.
func (x *call) openedToAll(ctx context.Context) (names []string) {
	ctx, end := context.WithTimeout(ctx, namesWithin)
	defer end()
	set, err := x.house.REST.GetGuildCommandsPermissions(x.house.Application, x.guild, rest.WithCtx(ctx))
	if err != nil || len(set) == 0 {
		return nil
	}
	commands, err := x.house.REST.GetGuildCommands(x.house.Application, x.guild, false, rest.WithCtx(ctx))
	if err != nil {
		return nil
	}
	for _, cmd := range commands {
		for _, p := range set {
			if p.ID == cmd.ID() && cmd.DefaultMemberPermissions() != 0 && slices.ContainsFunc(p.Permissions, x.showsAll) {
				names = append(names, cmd.Name())
			}
		}
	}
	return names
}

// showsAll reports whether an override is about the role that everybody has.
func (x *call) showsAll(p discord.ApplicationCommandPermission) bool {
	role, is := p.(discord.ApplicationCommandPermissionRole)
	return is && role.RoleID == x.guild && role.Permission
}
