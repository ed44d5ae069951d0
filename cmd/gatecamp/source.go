package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/auth"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) sourceCommands() *cobra.Command {
	return family("source", "how far Auth can be believed", c.sourceShow(), c.sourceAccept(), c.sourceAccounts(),
		family("threshold", "the figures that Auth's health is judged by", c.thresholdShow(), c.thresholdSet()))
}

func (c *console) sourceShow() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "show", Short: "read Auth now, and say whether it can be believed, fact by fact",
		Long: `Reads Auth and compares it with what is normal: the highest healthy figures of the last 7 days, or what somebody accepted since. Nothing is
stored.

  healthy    it is believed
  doubtful   categories stay, and everything becomes a report: nobody loses anything
  blind      nothing is concluded: no finding is opened or closed

If the figures are right after all (a corporation left, say), take them as the new normal with ` + "`gatecamp source accept`" + `.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		r, err := s.readSource(ctx)
		if err != nil {
			return err
		}
		last, accepted, err := s.sourceHistory(ctx)
		if err != nil {
			return err
		}
		if f.json {
			return printLines(s.out, sourceLine(r, last, accepted))
		}
		return s.showSource(r, last, accepted)
	})
	f.jsonFlag(cmd)
	return noted(cmd, noteJSON, `{"source", "verdict", "reasons": [{"fact", "now", "want", "text"}], "error", "edition", "fingerprint", "facts": [{"fact", "now", "baseline", "want", "most", "unit", "verdict"}], "last_read": {"at", "verdict"}|null, "accepted": {"at", "actor", "reason", "counts"}|null}; numbers are null where unknown`)
}

// readSource reads Auth and judges it.
func (s *session) readSource(ctx context.Context) (r *reconcile.SourceReading, err error) {
	source, done, err := s.auth()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	r, err = s.engine(source).ReadSource(ctx)
	if err == nil {
		s.warnings(source)
	}
	return r, err
}

// sourceHistory is the last stored read and the last acceptance; nil for none.
func (s *session) sourceHistory(ctx context.Context) (*storage.SourceRead, *storage.Acceptance, error) {
	base, err := s.db.Baseline(ctx, reconcile.AuthSource, s.now().UTC())
	if err != nil {
		return nil, nil, err
	}
	last, err := s.db.LastRead(ctx, reconcile.AuthSource)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, base.Accepted, nil
	}
	return &last, base.Accepted, err
}

func (s *session) showSource(r *reconcile.SourceReading, last *storage.SourceRead, accepted *storage.Acceptance) error {
	s.say("Auth is %s.", r.Verdict.Health)
	if r.Trouble != nil {
		s.say("It could not be read: %s.", describe(r.Trouble))
	}
	for _, reason := range r.Verdict.Reasons {
		if reason.Fact != audit.Reachable {
			s.say("  %s", reasonText(reason))
		}
	}
	if r.Directory != nil {
		s.say("%s, fingerprint %s.", editionText(r.Directory.Edition), visible(r.Directory.Fingerprint))
		if r.Baseline == nil {
			s.say("This is the first contact with this Auth: there is nothing to compare it with yet.")
		}
	}
	if last != nil {
		s.say("Last read by a run: %s EVE time, %s.", eveTime(last.At), last.Verdict)
	}
	if accepted != nil {
		s.say("Last accepted: %s EVE time by %s: %s", eveTime(accepted.At), visible(accepted.Actor), visible(accepted.Reason))
	}
	s.say("")
	return printTable(s.out, factTable(r))
}

func editionText(edition string) string {
	switch edition {
	case auth.Unknown:
		return "Alliance Auth of an unknown, newer edition"
	case "snapshot":
		return "A snapshot file in place of Auth"
	}
	return "Alliance Auth " + visible(edition)
}

func factTable(r *reconcile.SourceReading) *list {
	l := list{columns: []string{"fact", "now", "normal", "accepted", "unit", "verdict"}}
	for _, line := range audit.FactLines(r.Counts, r.Baseline, r.Thresholds) {
		want := "-"
		if line.Want != audit.Unknown {
			want = "at least " + strconv.FormatInt(line.Want, 10)
			if line.Fact.Ceiling() {
				want = "at most " + strconv.FormatInt(line.Want, 10)
			}
		}
		l.add(nil, line.Fact.String(), figure(line.Now), figure(line.Baseline), want, line.Fact.Unit().String(), line.Health.String())
	}
	return &l
}

func figure(n int64) string {
	if n == audit.Unknown {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// reasonText says what speaks against a source: "users: 12 rows now, at least 96 expected".
func reasonText(r audit.HealthReason) string {
	fact := strings.ReplaceAll(r.Fact.String(), "_", " ")
	switch {
	case r.Fact == audit.Reachable:
		return "Auth could not be read"
	case r.Fact == audit.UnknownEdition:
		return "Auth's tables are newer than this version knows: it is only reported, never acted on"
	case r.Now == audit.Unknown:
		return fact + ": Auth no longer says"
	case r.Fact.Ceiling():
		return fmt.Sprintf("%s: %s now, at most %s expected", fact, amount(r.Now, r.Fact.Unit()), amount(r.Want, r.Fact.Unit()))
	}
	return fmt.Sprintf("%s: %s now, at least %s expected", fact, amount(r.Now, r.Fact.Unit()), amount(r.Want, r.Fact.Unit()))
}

func amount(n int64, unit audit.Unit) string {
	switch unit {
	case audit.BasisPoints:
		return fmt.Sprintf("%d.%02d%%", n/100, n%100)
	case audit.Seconds:
		return (time.Duration(n) * time.Second).String()
	case audit.Rows:
	}
	return strconv.FormatInt(n, 10)
}

type jsonReason struct {
	Fact string `json:"fact"`
	Now  *int64 `json:"now"`
	Want *int64 `json:"want"`
	Text string `json:"text"`
}

func jsonReasons(v audit.Verdict) []jsonReason {
	lines := []jsonReason{}
	for _, r := range v.Reasons {
		lines = append(lines, jsonReason{r.Fact.String(), known(r.Now), known(r.Want), reasonText(r)})
	}
	return lines
}

// known is a figure for programs: null where it is unknown.
func known(n int64) *int64 {
	if n == audit.Unknown {
		return nil
	}
	return &n
}

type jsonFact struct {
	Fact     string `json:"fact"`
	Now      *int64 `json:"now"`
	Baseline *int64 `json:"baseline"`
	Want     *int64 `json:"want"`
	Most     bool   `json:"most"` // Want is the most, not the least
	Unit     string `json:"unit"`
	Verdict  string `json:"verdict"`
}

func sourceLine(r *reconcile.SourceReading, last *storage.SourceRead, accepted *storage.Acceptance) any {
	type read struct {
		At      any    `json:"at"`
		Verdict string `json:"verdict"`
	}
	type acceptance struct {
		At     any              `json:"at"`
		Actor  string           `json:"actor"`
		Reason string           `json:"reason"`
		Counts map[string]int64 `json:"counts"`
	}
	line := struct {
		Source      string       `json:"source"`
		Verdict     string       `json:"verdict"`
		Reasons     []jsonReason `json:"reasons"`
		Error       string       `json:"error,omitempty"`
		Edition     string       `json:"edition,omitempty"`
		Fingerprint string       `json:"fingerprint,omitempty"`
		Facts       []jsonFact   `json:"facts"`
		LastRead    *read        `json:"last_read"`
		Accepted    *acceptance  `json:"accepted"`
	}{Source: reconcile.AuthSource, Verdict: r.Verdict.Health.String(), Reasons: jsonReasons(r.Verdict), Facts: []jsonFact{}}
	if r.Trouble != nil {
		line.Error = describe(r.Trouble)
	}
	if r.Directory != nil {
		line.Edition, line.Fingerprint = r.Directory.Edition, r.Directory.Fingerprint
	}
	for _, f := range audit.FactLines(r.Counts, r.Baseline, r.Thresholds) {
		line.Facts = append(line.Facts, jsonFact{f.Fact.String(), known(f.Now), known(f.Baseline), known(f.Want), f.Fact.Ceiling(), f.Fact.Unit().String(), f.Health.String()})
	}
	if last != nil {
		line.LastRead = &read{reconcile.LineTime(last.At), last.Verdict}
	}
	if accepted != nil {
		line.Accepted = &acceptance{reconcile.LineTime(accepted.At), accepted.Actor, accepted.Reason, accepted.Counts}
	}
	return line
}

func (c *console) sourceAccept() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "accept", Short: "take what Auth says now as the new normal",
		Long: `Reads Auth, prints its figures, and makes exactly these the normal that later reads are compared with. Use it when Auth has rightly shrunk:
a corporation left, old accounts were deleted. Do not use it to get rid of a warning that you do not understand: it is what keeps an
outage of Auth from stripping everybody.`,
		Example: "  gatecamp source show\n  gatecamp source accept --reason \"Fluffy Corp left the alliance, 120 members\"",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = c.change("source accept", func(ctx context.Context, s *session, _ []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		r, err := s.readSource(ctx)
		if err != nil {
			return err
		}
		return s.acceptSource(ctx, r, by)
	})
	reasonFlag(cmd, &reason)
	return noted(cmd, noteExits, "4 if Auth cannot be read, or would be blind even so")
}

func (s *session) acceptSource(ctx context.Context, r *reconcile.SourceReading, by storage.Author) error {
	if r.Trouble != nil {
		return problem.New(problem.Held, "Auth cannot be read, so there is nothing to accept: "+describe(r.Trouble), "").Because(r.Trouble)
	}
	// No shrink that is right empties a needed table: accepting one would make everybody's roles surplus at the next run.
	if r.Verdict.Health == audit.Blind {
		return problem.New(problem.Held, "Auth is blind, and that is no shrink: "+reasonText(r.Verdict.Reasons[0])+"; nothing was changed", "mend Auth, or GATECAMP_AUTH_URL")
	}
	after := audit.JudgeAuth(r.Counts, r.Counts, r.Thresholds)
	if err := s.db.AcceptSource(ctx, s.guild, reconcile.AuthSource, r.Stored(), by); err != nil {
		return err
	}
	s.say("Accepted: from now on this is what Auth is compared with (it was %s before).", r.Verdict.Health)
	l := list{columns: []string{"fact", "accepted", "normal before", "unit"}}
	for _, f := range audit.AllFacts() {
		if n, counted := r.Counts[f]; counted {
			before := audit.Unknown
			if b, had := r.Baseline[f]; had {
				before = b
			}
			l.add(nil, f.String(), figure(n), figure(before), f.Unit().String())
		}
	}
	if err := printTable(s.out, &l); err != nil {
		return err
	}
	for _, reason := range after.Reasons {
		s.say("Auth stays %s because of: %s. That is no matter of size, and accepting cannot mend it.", after.Health, reasonText(reason))
	}
	return nil
}

func (c *console) sourceAccounts() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "accounts", Short: "list every account of Auth: what it may do and which roles Auth would give it",
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		ctx := cmd.Context()
		cfg, err := c.config(ctx)
		if err != nil {
			return err
		}
		s := &session{console: c, cfg: cfg}
		source, done, err := s.auth()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
		d, err := source.Read(ctx)
		if err != nil {
			return err
		}
		s.warnings(source)
		if f.json {
			return auth.WriteAccounts(c.out, d)
		}
		return f.print(c.out, accountTable(d))
	}
	f.flags(cmd)
	noted(cmd, noteExits, "4 if Auth cannot be read")
	return noted(cmd, noteJSON, `one line an account, by user id: {"user_id", "username", "discord_ids": [strings], "active", "superuser", "access", "permissions": ["app_label.codename"], "state": name|null, "groups", "roles": the names that Auth would write, "main": {"name", "corporation_ticker", "alliance_ticker"}|null}`)
}

func accountTable(d *audit.Directory) *list {
	l := list{columns: []string{"user", "username", "discord", "main", "active", "access", "state", "roles"}, empty: "Auth has no accounts."}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		discord, main := "-", a.Main.Name
		if a.Discord != 0 {
			discord = a.Discord.String()
		}
		if ticker := a.Main.AllianceTicker(); ticker != "" {
			main += " [" + ticker + "]"
		}
		access := yes(a.Access)
		if a.Superuser {
			access += " (superuser)"
		}
		l.add(nil, strconv.FormatInt(a.User, 10), a.Username, discord, main, yes(a.Active), access, d.StateName(a), strings.Join(d.RoleNames(a), ", "))
	}
	return &l
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
