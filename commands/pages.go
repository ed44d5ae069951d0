package commands

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/i18n"
	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// list is many things of one sort: shown in pages, and attached whole as CSV and JSON where it does not fit one page.
type list struct {
	name    string // of the files: "findings"
	columns []string
	rows    []row
	empty   string // said instead, if there are none
}

// row is one thing of a list: as a person reads it, as a table has it, and as a program takes it.
type row struct {
	line   func() string // of Discord's markdown, asked for the page that is shown; whoPlace stands for the member
	cells  []string
	object any
	member snowflake.ID // whom it names; zero: nobody
}

// What `format:` may ask for.
const (
	formatPages = "pages"
	formatCSV   = "csv"
	formatJSON  = "json"
)

const (
	onPage   = 10  // rows
	mostLine = 380 // characters: ten of them are a text that an embed takes
)

// pages is how many there are.
func (l *list) pages() int { return (len(l.rows) + onPage - 1) / onPage }

// page is one of them, from 1.
func (l *list) page(n int) []row {
	return l.rows[min((n-1)*onPage, len(l.rows)):min(n*onPage, len(l.rows))]
}

// csv is the whole list as a table. A cell that a spreadsheet would take for a formula gets an apostrophe.
func (l *list) csv() ([]byte, error) {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	rows := [][]string{l.columns}
	for _, r := range l.rows {
		safe := make([]string, len(r.cells))
		for i, cell := range r.cells {
			safe[i] = cell
			if cell != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(cell[0])) {
				safe[i] = "'" + cell
			}
		}
		rows = append(rows, safe)
	}
	err := out.WriteAll(rows)
	return b.Bytes(), err
}

// json is the whole list, one object a line.
func (l *list) json() ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	for _, r := range l.rows {
		if err := out.Encode(r.object); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// mostFile is less than what Discord takes of a bot in any guild (docs: reference, uploading files).
const mostFile = 8 << 20

// attach adds the whole list in the forms that were asked for, or in both where it does not fit one page.
func (x *call) attach(a *answer, pages int) error {
	form := x.str("format")
	for _, f := range []struct {
		form string
		make func() ([]byte, error)
	}{{formatCSV, a.list.csv}, {formatJSON, a.list.json}} {
		if len(a.list.rows) == 0 || form != f.form && (form == formatCSV || form == formatJSON || pages < 2) {
			continue
		}
		data, err := f.make()
		if err != nil {
			return err
		}
		if len(data) > mostFile {
			a.fields = append(a.fields, field{name: a.list.name + "." + f.form, value: x.T(i18n.FrameFileTooLong)})
			continue
		}
		a.files = append(a.files, file{a.list.name + "." + f.form, data})
	}
	return nil
}

// listing is a list with the buttons that turn its pages. What was asked for is kept, for whoever asked: each page is looked up anew.
func (x *call) listing(ctx context.Context, a *answer, card string) (_ discord.MessageCreate, err error) {
	defer wrap.Err(&err, "list of %s", a.list.name)
	pages := a.list.pages()
	if card == "" { // the pages that follow need no files again
		if err := x.attach(a, pages); err != nil {
			return discord.MessageCreate{}, err
		}
	}
	if pages == 0 {
		a.text = joinLines(a.text, a.list.empty)
		return a.message(), nil
	}
	page := max(1, min(x.page, pages))
	a.text = joinLines(a.text, strings.Join(x.linesOf(ctx, a.list.page(page)), "\n"))
	if pages == 1 {
		return a.message(), nil
	}
	a.footer = joinWith(" · ", x.T(i18n.FramePage, i18n.Args{"Page": page, "Pages": pages, "Rows": x.Number(len(a.list.rows))}), a.footer)
	if card == "" {
		if card, err = x.keepList(ctx); err != nil {
			return discord.MessageCreate{}, err
		}
	}
	m := a.message()
	back := discord.NewSecondaryButton(x.T(i18n.FramePrevious), customID(card, verbPage, strconv.Itoa(page-1)))
	next := discord.NewSecondaryButton(x.T(i18n.FrameNext), customID(card, verbPage, strconv.Itoa(page+1)))
	m.Components = []discord.LayoutComponent{discord.NewActionRow(back.WithDisabled(page == 1), next.WithDisabled(page == pages))}
	return m, nil
}

// listLife is how long the pages of a list can be turned.
const listLife = time.Hour

// keptList is what a list, or a form, was asked for with.
type keptList struct {
	Path  string                     `json:"path"`
	Given map[string]json.RawMessage `json:"given"`
}

const kindList = "list"

func (x *call) keepList(ctx context.Context) (string, error) {
	return x.keepGiven(ctx, kindList, listLife)
}

// keepGiven stores what was asked for, and with what.
func (x *call) keepGiven(ctx context.Context, kind string, life time.Duration) (string, error) {
	kept := keptList{Path: x.path, Given: map[string]json.RawMessage{}}
	for name, g := range x.given {
		kept.Given[name] = g.raw
	}
	args, err := json.Marshal(kept)
	if err != nil {
		return "", err
	}
	card := storage.Card{ID: newCardID(), Guild: x.guild, Kind: kind, Args: args, Locale: x.locale, Invoker: x.caller.Discord, Created: x.now(), Expires: x.now().Add(life)}
	return card.ID, x.cfg.Store.MakeCard(ctx, card)
}

// turnPage shows another page of a list, to whoever asked for it and still may see it.
func (x *call) turnPage(ctx context.Context, card storage.Card, page string) error {
	d, err := x.restore(card)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(page); err == nil {
		x.page = n
	}
	if err := x.may(ctx, x.needOf(d)); err != nil {
		return err
	}
	a, err := d.do(ctx, x)
	if err != nil {
		return err
	}
	m, err := x.listing(ctx, a, card.ID)
	if err != nil {
		return err
	}
	// The files of the first page stay: they are the whole list.
	return x.line.turn(ctx, discord.MessageUpdate{Embeds: &m.Embeds, Components: &m.Components, AllowedMentions: nobody()})
}

// restore makes the call what it was when the card was made.
func (x *call) restore(card storage.Card) (*deed, error) {
	var kept keptList
	if err := json.Unmarshal(card.Args, &kept); err != nil {
		return nil, err
	}
	d := x.find(kept.Path)
	if d == nil {
		return nil, errors.New("a card of a command that is no more")
	}
	x.path = kept.Path
	for name, raw := range kept.Given {
		x.given[name] = given{raw: raw}
	}
	return d, nil
}

func joinLines(parts ...string) string { return joinWith("\n", parts...) }

// joinWith joins what is not empty.
func joinWith(between string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, between)
}
