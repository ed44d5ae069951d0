package commands

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// mostListed is how many blocks one list holds.
const mostListed = 20_000

// blockList lists the blocks that hold here.
func blockList(ctx context.Context, x *call) (*answer, error) {
	filter := storage.BlockFilter{Scope: x.str("scope")}
	if !x.is("closed") {
		filter.InForce = x.now()
	}
	found, err := x.blocksHere(ctx, filter, mostListed)
	if err != nil {
		return nil, err
	}
	l := &list{
		name: "blocks", empty: x.T(i18n.BlockNoneHere),
		columns: guard.LineColumns(),
	}
	person := x.ref("member")
	var about []target
	if person != 0 {
		about = x.subjectsOf(person)
	}
	for i := range found {
		if person != 0 && !isAbout(about, &found[i]) {
			continue
		}
		l.rows = append(l.rows, x.blockRow(found[i]))
	}
	return &answer{title: x.T(i18n.BlockListTitle), text: x.enforcementWords(x.cfg.Blocks.Mode(uint64(x.guild))), list: l}, nil
}

func isAbout(about []target, b *storage.Block) bool {
	for _, to := range about {
		if snowflake.ID(to.ns) == b.Guild && to.sub.Scope.String() == b.Scope && to.sub.Value() == b.Value {
			return true
		}
	}
	return false
}

func (x *call) blockRow(b storage.Block) row {
	line := guard.LineOf(&b, x.now())
	r := row{object: line, cells: line.Cells(), member: personOf(&b)}
	r.line = func() string { return x.blockWords(&b) }
	return r
}

// blockWords is a block on two lines.
func (x *call) blockWords(b *storage.Block) string {
	sign, who := "🚫", whoPlace
	if !b.InForce(x.now()) {
		sign = "✔️ " + x.T(i18n.AuditClosed)
	}
	if personOf(b) == 0 {
		who = x.subjectWords(b)
	}
	parts := []string{sign + " " + code(blockNumber(b.ID)) + " " + who, x.whereOf(b), x.T(i18n.BlockUntil, i18n.Args{"Until": x.shortUntil(b)})}
	if b.Also != enforcement.AlsoNone {
		parts = append(parts, x.T(i18n.BlockAlso, i18n.Args{"Also": x.alsoWords(b.Also)}))
	}
	return strings.Join(parts, " · ") + "\n↳ " + x.T(i18n.TableBy, i18n.Args{"By": whoWords(b.Owner), "At": shortStamp(b.Start), "Reason": cut(plain(b.Reason), 120)})
}

func (x *call) shortUntil(b *storage.Block) string {
	if b.End.IsZero() {
		return x.T(i18n.BlockForever)
	}
	return shortStamp(b.End)
}

func (x *call) whereOf(b *storage.Block) string {
	return x.whereWords(target{ns: enforcement.Namespace(b.Guild), sub: enforcement.Subject{Scope: scopeOf(b.Scope)}})
}

func (x *call) alsoWords(a enforcement.Also) string {
	return x.T([...]i18n.Key{
		enforcement.AlsoNone: i18n.BlockAlsoNone, enforcement.AlsoStrip: i18n.BlockAlsoStrip, enforcement.AlsoKick: i18n.BlockAlsoKick, enforcement.AlsoBan: i18n.BlockAlsoBan,
	}[a])
}

// pastOfBlock is how much of a subject's history is shown.
const pastOfBlock = 10

// blockShow tells everything about the blocks of somebody: those in force, and what was before.
func blockShow(ctx context.Context, x *call) (*answer, error) {
	shown, past, err := x.toShow(ctx)
	if err != nil {
		return nil, err
	}
	a := &answer{title: x.T(i18n.BlockShowTitle)}
	for i := range shown {
		b := &shown[i]
		a.fields = append(a.fields, field{name: x.T(i18n.BlockNumbered, i18n.Args{"Block": b.ID}), value: x.blockFacts(b)})
		if b.InForce(x.now()) {
			a.tone = toneWarn
		}
	}
	if len(shown) == 0 {
		a.text = x.T(i18n.BlockNotBlocked)
	}
	for _, to := range past {
		lines, err := x.historyOf(ctx, to)
		if err != nil {
			return nil, err
		}
		if len(lines) > 0 {
			a.fields = append(a.fields, field{name: x.T(i18n.BlockHistory, i18n.Args{"Subject": to.sub.Scope.String()}), value: strings.Join(lines, "\n")})
		}
	}
	return a, nil
}

// toShow are the blocks that are asked about, and of whom the history is told.
func (x *call) toShow(ctx context.Context) (shown []storage.Block, past []target, err error) {
	n, err := x.numbered("block")
	if err != nil {
		return nil, nil, err
	}
	if n != 0 {
		b, err := x.blockByNumber(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		to, err := targetOf(&b)
		return []storage.Block{b}, []target{to}, err
	}
	id := x.ref("member")
	if id == 0 {
		return nil, nil, problem.New(problem.Usage, x.T(i18n.BlockWhom), x.T(i18n.BlockWhomCure))
	}
	shown, err = x.blocksOf(ctx, id)
	return shown, x.subjectsOf(id), err
}

// blockFacts is everything that is to be told about a block.
func (x *call) blockFacts(b *storage.Block) string {
	lines := []string{
		x.subjectWords(b) + " · " + x.whereOf(b),
		x.T(i18n.BlockUntil, i18n.Args{"Until": x.untilWords(b.End)}) + " · " + x.T(i18n.BlockAlso, i18n.Args{"Also": x.alsoWords(b.Also)}),
		x.T(i18n.TableBy, i18n.Args{"By": whoWords(b.Owner), "At": stamp(b.Start), "Reason": cut(plain(b.Reason), 300)}),
	}
	if b.Message != "" {
		lines = append(lines, x.T(i18n.BlockMessage, i18n.Args{"Message": cut(plain(b.Message), 200)}))
	}
	if len(b.Evidence) > 0 {
		lines = append(lines, x.T(i18n.BlockEvidence, i18n.Args{"Evidence": quoted(string(b.Evidence))}))
	}
	if !b.Closed.IsZero() {
		lines = append(lines, x.T(i18n.BlockClosed, i18n.Args{"By": whoWords(b.ClosedBy), "At": stamp(b.Closed), "Reason": cut(plain(b.ClosedReason), 200)}))
	}
	return strings.Join(lines, "\n")
}

// historyOf are the last changes of a subject's blocks, newest first.
func (x *call) historyOf(ctx context.Context, to target) (lines []string, err error) {
	rows, err := x.cfg.Store.BlockHistory(ctx, snowflake.ID(to.ns), to.sub.Scope.String(), to.sub.Value(), storage.Page{Limit: pastOfBlock})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	for _, e := range rows {
		line := shortStamp(e.At) + " " + x.changeWords(e.Kind) + " · " + whoWords(e.Actor) + ": " + cut(plain(e.Reason), 80)
		if e.Block != 0 {
			line += " (" + code("#"+strconv.FormatInt(e.Block, 10)) + ")"
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// changeWords says what a line of the history tells.
func (x *call) changeWords(kind string) string {
	for _, k := range []struct {
		kind string
		key  i18n.Key
	}{
		{"made", i18n.BlockWasMade},
		{"extended", i18n.BlockWasExtended},
		{"shortened", i18n.BlockWasShortened},
		{"revoked", i18n.BlockWasRevoked},
		{"ended", i18n.BlockHasEnded},
		{"refused", i18n.BlockWasRefused},
	} {
		if k.kind == kind {
			return x.T(k.key)
		}
	}
	return quoted(kind)
}
