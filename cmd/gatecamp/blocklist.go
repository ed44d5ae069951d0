package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

const noteBlockLines = `one object a block, newest first: {"block", "state": "active"|"ended"|"revoked", "namespace": "global"|"guild:ID", "scope", "value", "member_id", "also", "reason", "message", "rule", "owner", "started", "ends", "closed", "closed_by", "closed_reason"}`

func (c *console) blockList() *cobra.Command {
	var f format
	var w blockWords
	var closed bool
	cmd := &cobra.Command{
		Use: "list", Short: "list the blocks that hold in this guild: its own, and those of everywhere",
		Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		found, err := s.blocksHere(ctx, w.scope, !closed)
		if err != nil {
			return err
		}
		l := list{columns: guard.LineColumns(), empty: "Nobody is blocked here."}
		if !f.json && !f.csv {
			l.columns = []string{"block", "state", "where", "scope", "value", "also", "until", "by", "since", "reason"}
		}
		for i := range found {
			line := guard.LineOf(&found[i], s.now())
			cells := line.Cells()
			if !f.json && !f.csv {
				b := &found[i]
				cells = []string{strconv.FormatInt(b.ID, 10), line.State, line.Namespace, b.Scope, b.Value, line.Also, orNever(b.End), b.Owner, eveTime(b.Start), b.Reason}
			}
			l.add(line, cells...)
		}
		if !f.json && !f.csv {
			if mode := enforcementMode(&s.cfg, s.guild); mode != enforcement.Enforcing {
				s.warn("enforcement is %s in guild %d: nobody is refused (the rules file or the guilds file says so)", mode, s.guild)
			}
		}
		return f.print(s.out, &l)
	})
	f.flags(cmd)
	cmd.Flags().StringVar(&w.scope, "scope", "", "only this `SCOPE`: member, user, account, channel, …")
	cmd.Flags().BoolVar(&closed, "closed", false, "also those that ended or were lifted")
	return noted(cmd, noteJSON, noteBlockLines)
}

// blocksHere are the blocks of this guild and of everywhere, newest first.
func (s *session) blocksHere(ctx context.Context, scope string, inForce bool) (found []storage.Block, err error) {
	if scope != "" {
		if _, err := enforcement.ParseBlockable(scope); err != nil {
			return nil, problem.New(problem.Usage, "--scope: "+err.Error(), "")
		}
	}
	for _, guild := range []snowflake.ID{s.guild, 0} {
		f := storage.BlockFilter{Guild: &guild, Scope: scope, Page: storage.Page{Limit: 5_000}}
		if inForce {
			f.InForce = s.now()
		}
		for {
			rows, err := s.db.Blocks(ctx, f)
			if err != nil {
				return nil, err
			}
			found = append(found, rows...)
			if len(rows) < f.Limit {
				break
			}
			f.Before = rows[len(rows)-1].ID
		}
	}
	slices.SortFunc(found, func(a, b storage.Block) int { return int(b.ID - a.ID) })
	return found, nil
}

func (c *console) blockShow() *cobra.Command {
	var w blockWords
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show [VALUE]", Short: "everything about the blocks of somebody, and what was before",
		Example: "  gatecamp block show 112233445566778899\n  gatecamp block show --block 12 --json",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, args []string) error {
		shown, past, err := s.blockPast(ctx, &w, args)
		if err != nil {
			return err
		}
		if asJSON {
			lines := make([]any, 0, len(shown)+len(past))
			for i := range shown {
				lines = append(lines, guard.LineOf(&shown[i], s.now()))
			}
			for i := range past {
				lines = append(lines, changeLineOf(&past[i]))
			}
			return printLines(s.out, lines...)
		}
		if len(shown) == 0 {
			s.say("Not blocked in guild %d now.", s.guild)
		}
		for i := range shown {
			b := &shown[i]
			l := guard.LineOf(b, s.now())
			s.say("Block %d, %s: %s %s %s%s, also %s.\n  By %s since %s EVE time: %s", b.ID, l.State, b.Scope, visible(b.Value), whereText(enforcement.Namespace(b.Guild)), endText(b.End), l.Also,
				b.Owner, eveTime(b.Start), visible(b.Reason))
			if b.Message != "" {
				s.say("  They are told: %s", visible(b.Message))
			}
			if len(b.Evidence) > 0 {
				s.say("  Evidence: %s", visible(string(compact(b.Evidence))))
			}
			if !b.Closed.IsZero() && b.ClosedBy != "" {
				s.say("  Lifted by %s, %s EVE time: %s", b.ClosedBy, eveTime(b.Closed), visible(b.ClosedReason))
			}
		}
		l := list{columns: []string{"at", "change", "block", "until", "also", "by", "reason"}}
		for _, e := range past {
			l.add(nil, eveTime(e.At), e.Kind, strconv.FormatInt(e.Block, 10), orNever(e.End), e.Also.String(), e.Actor, e.Reason)
		}
		if len(past) == 0 {
			return nil
		}
		s.say("\nWhat was before, newest first:")
		return printTable(s.out, &l)
	})
	w.scopeFlags(cmd)
	w.blockFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return noted(cmd, noteJSON, `the blocks as block list prints them, then the changes, newest first: {"change": "made"|"extended"|"shortened"|"revoked"|"ended"|"refused", "block", "namespace", "scope", "value", "also", "rule", "ends", "actor", "origin", "reason", "at"}`)
}

// changeLine is a line of a subject's history for programs.
type changeLine struct {
	Change    string `json:"change"`
	Block     int64  `json:"block"`
	Namespace string `json:"namespace"`
	Scope     string `json:"scope"`
	Value     string `json:"value"`
	Also      string `json:"also"`
	Rule      string `json:"rule"`
	Ends      any    `json:"ends"`
	Actor     string `json:"actor"`
	Origin    string `json:"origin"`
	Reason    string `json:"reason"`
	At        any    `json:"at"`
}

func changeLineOf(e *storage.BlockEntry) changeLine {
	return changeLine{
		e.Kind, e.Block, enforcement.Namespace(e.Guild).String(), e.Scope, e.Value, e.Also.String(), e.Rule, reconcile.LineTime(e.End), e.Actor, e.Origin, e.Reason, reconcile.LineTime(e.At),
	}
}

// blockPast are the blocks that are asked about, and their subjects' history.
func (s *session) blockPast(ctx context.Context, w *blockWords, args []string) (shown []storage.Block, past []storage.BlockEntry, err error) {
	var targets []blockTarget
	switch {
	case w.block != 0:
		b, err := s.blockNumbered(ctx, w.block)
		if err != nil {
			return nil, nil, err
		}
		t, err := (&blockOrder{Guild: b.Guild, Scope: b.Scope, Value: b.Value}).target()
		if err != nil {
			return nil, nil, err
		}
		shown, targets = append(shown, b), append(targets, t)
	case len(args) == 1:
		if targets, err = s.blockTargets(w, args[0]); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, problem.New(problem.Usage, "nobody was named", "give a Discord id, or --block NUMBER")
	}
	for _, t := range targets {
		guild := snowflake.ID(t.ns)
		if w.block == 0 {
			rows, err := s.db.Blocks(ctx, storage.BlockFilter{Guild: &guild, Scope: t.sub.Scope.String(), Value: t.sub.Value(), InForce: s.now()})
			if err != nil {
				return nil, nil, err
			}
			shown = append(shown, rows...)
		}
		rows, err := s.db.BlockHistory(ctx, guild, t.sub.Scope.String(), t.sub.Value(), storage.Page{})
		if err != nil {
			return nil, nil, err
		}
		past = append(past, rows...)
	}
	slices.SortFunc(past, func(a, b storage.BlockEntry) int { return int(b.ID - a.ID) })
	return shown, past, nil
}

func (c *console) blockExport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "print the blocks in force, for block import elsewhere",
		Long:    "Prints the blocks in force in this guild and everywhere, one JSON object a line, in the form that `block import` reads.",
		Example: "  gatecamp block export > blocks.jsonl", Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		found, err := s.blocksHere(ctx, "", true)
		if err != nil {
			return err
		}
		slices.Reverse(found)
		for i := range found {
			if err := printLines(s.out, guard.LineOf(&found[i], s.now())); err != nil {
				return err
			}
		}
		return nil
	})
	return noted(cmd, noteJSON, noteBlockLines+", but oldest first")
}

// mostImport is how long a file of blocks may be.
const mostImport = 64 << 20

func (c *console) blockImport() *cobra.Command {
	var reason string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "import FILE", Short: "take over blocks that block export, or another program, wrote",
		Long: `Reads one JSON object a line ("-" is standard input): scope and value are needed; namespace (global, guild:ID; without it this guild), ends
(a time; null or absent is for good), also (without it none: a file removes nobody from a guild unless it says so), reason, message and
rule count; everything else is passed over. Lines whose end is past are passed over too.

Every line is checked before the first is stored; if one does not fit, its place is said and nothing is changed. A block that is there
and holds at least as long stays as it is. Who is immune is passed over and told. In a running serve all of it is in force within a second.`,
		Example: "  gatecamp block import blocks.jsonl --reason \"moved from the old server\" --dry-run", Args: cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("block import", func(ctx context.Context, s *session, args []string) error {
		if _, err := s.author(reason); err != nil {
			return err
		}
		text, err := s.readAll(args[0], mostImport)
		if err != nil {
			return err
		}
		orders, past, err := s.importLines(text)
		if err != nil {
			return err
		}
		if dryRun {
			s.say("%d blocks would be taken over, %d lines are of blocks whose end is past; nothing was changed.", len(orders), past)
			return nil
		}
		return s.importBlocks(ctx, orders, past, reason)
	})
	reasonFlag(cmd, &reason)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "read and check the file, and change nothing")
	return cmd
}

// importedLine is a line of a file of blocks.
type importedLine struct {
	Namespace *string `json:"namespace"`
	Scope     string  `json:"scope"`
	Value     string  `json:"value"`
	Also      string  `json:"also"`
	Reason    string  `json:"reason"`
	Message   *string `json:"message"`
	Rule      *string `json:"rule"`
	Ends      *string `json:"ends"`
}

// importLines reads and checks a file; every line that does not fit is told.
func (s *session) importLines(text []byte) (orders []guard.Order, past int, err error) {
	var wrong []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		o, over, err := s.importLine(lines.Bytes())
		switch {
		case err != nil && len(wrong) < 20:
			wrong = append(wrong, fmt.Sprintf("line %d: %s", n, err))
		case over:
			past++
		default:
			orders = append(orders, o)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, 0, problem.Usagef("the file cannot be read: %s; nothing was changed", err)
	}
	if len(wrong) > 0 {
		return nil, 0, problem.New(problem.Usage, strings.Join(wrong, "\n          ")+"\n          nothing was changed", "mend these lines; `gatecamp block export` shows the form")
	}
	return orders, past, nil
}

func (s *session) importLine(text []byte) (o guard.Order, over bool, err error) {
	var l importedLine
	if err := json.Unmarshal(text, &l); err != nil {
		return o, false, fmt.Errorf("this is no JSON object of a block: %w", err)
	}
	o.Namespace = enforcement.Namespace(s.guild)
	if l.Namespace != nil {
		if o.Namespace, err = enforcement.ParseNamespace(*l.Namespace); err != nil {
			return o, false, err
		}
	}
	scope, err := enforcement.ParseBlockable(l.Scope)
	if err != nil {
		return o, false, err
	}
	if o.Subject, err = enforcement.ParseSubject(scope, l.Value); err != nil {
		return o, false, err
	}
	if l.Also != "" {
		if o.Also, err = enforcement.ParseAlso(l.Also); err != nil {
			return o, false, err
		}
	}
	o.By.Reason = l.Reason
	if l.Message != nil {
		o.Message = *l.Message
	}
	if l.Rule != nil {
		o.Rule = *l.Rule
	}
	if l.Ends == nil {
		return o, false, nil
	}
	end, err := time.Parse(time.RFC3339Nano, *l.Ends)
	if err != nil {
		return o, false, fmt.Errorf("ends: %s is no time such as 2026-12-31T18:00:00Z", quoted(*l.Ends))
	}
	o.TTL = end.Sub(s.now())
	return o, o.TTL <= 0, nil
}

// importBlocks stores them, one after the other: what is stored holds, also if the next fails.
func (s *session) importBlocks(ctx context.Context, orders []guard.Order, past int, reason string) error {
	g, done, err := s.ownGuard(ctx)
	defer done()
	if err != nil {
		return err
	}
	var made, longer, kept, refused int
	for _, o := range orders {
		at := s.now().UTC()
		o.By = storage.Author{Actor: s.actor(), Origin: "import", Reason: o.By.Reason, At: at}
		if strings.TrimSpace(o.By.Reason) == "" {
			o.By.Reason = reason
		}
		o.Force = true // it was for good where it comes from
		c, err := g.Block(ctx, o)
		switch {
		case problem.KindOf(err) == problem.Refused && err != nil:
			refused++
			s.warn("%s", describe(err))
			continue
		case err != nil:
			s.warn("%d blocks were taken over before this; the rest was not", made+longer)
			return err
		}
		switch c.What {
		case storage.BlockMade:
			made++
		case storage.BlockExtended:
			longer++
		case storage.BlockKept:
			kept++
		}
	}
	s.say("Taken over: %d new, %d made longer; %d were there already, %d refused, %d past.", made, longer, kept, refused, past)
	return nil
}
