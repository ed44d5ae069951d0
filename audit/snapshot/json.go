package snapshot

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
)

// maxDepth is deeper than anything in a snapshot, and keeps a file of brackets from being believed.
const maxDepth = 64

// document reads JSON token by token, knows where it is, and keeps the first thing that is wrong: after that every reader returns
// at once with nothing, and every loop ends.
type document struct {
	lexer
	name string
	path []step
	keys map[string]string // each key once in memory
	err  error
}

// step is one part of a place: a key, or an index.
type step struct {
	key   string // empty: an index
	index int    // negative, without a key: nowhere yet
}

func newDocument(r io.Reader, name string) *document {
	d := &document{lexer: newLexer(r), name: name, keys: map[string]string{}}
	if err := d.begin(); err != nil {
		d.broken(err)
	}
	return d
}

// place is where the reader stands: guild_members[1][14].user.id.
func (d *document) place() string { return placeOf(d.path) }

func placeOf(path []step) string {
	var b strings.Builder
	for _, s := range path {
		switch {
		case s.key == "" && s.index < 0:
		case s.key == "":
			fmt.Fprintf(&b, "[%d]", s.index)
		case b.Len() > 0:
			b.WriteByte('.')
			fallthrough
		default:
			b.WriteString(showKey(s.key))
		}
	}
	return b.String()
}

// showKey keeps odd keys, such as names of groups, from breaking the line.
func showKey(key string) string {
	if len(key) > 100 {
		key = key[:100] + "…"
	}
	if strings.ContainsFunc(key, func(r rune) bool { return !isPlain(r) }) {
		return strconv.Quote(key)
	}
	return key
}

// refuse says what is wrong here. Only the first thing counts.
func (d *document) refuse(says, cure string) {
	d.refuseAt(d.place(), says, cure)
}

func (d *document) refuseAt(place, says, cure string) {
	if d.err != nil {
		return
	}
	what := d.name
	if place != "" {
		what += ": " + place
	}
	d.err = problem.New(problem.Usage, what+": "+says, cure)
}

// missing says that a key is not there.
func (d *document) missing(key, cure string) {
	d.path = append(d.path, step{key: key})
	d.refuse("missing", cure)
	d.path = d.path[:len(d.path)-1]
}

// token is the beginning of the next value; nothing when something is wrong.
func (d *document) token() token {
	if d.err != nil {
		return token{}
	}
	t, err := d.value()
	if err != nil {
		d.broken(err)
		return token{}
	}
	return t
}

// broken explains why there is no next token.
func (d *document) broken(err error) {
	where := ""
	if place := d.place(); place != "" {
		where = ", in " + place
	}
	syntax, isSyntax := errors.AsType[*syntaxError](err)
	switch {
	case errors.Is(err, errEmpty):
		d.refuseAt("", "empty", "write the snapshot again")
	case errors.Is(err, errCutOff):
		d.refuseAt("", fmt.Sprintf("cut off at byte %d%s", d.before+int64(d.end), where), "copy or write the snapshot again")
	case isSyntax && syntax.says == notUTF8:
		d.refuseAt("", fmt.Sprintf("byte %d is not UTF-8%s", syntax.offset, where), "save the file in UTF-8")
	case isSyntax:
		d.refuseAt("", fmt.Sprintf("not JSON at byte %d%s: %s", syntax.offset, where, syntax.says), "snapshots are written by \"gatecamp snapshot\"")
	case d.err == nil:
		d.err = fmt.Errorf("%s: %w", d.name, err)
	}
}

// follows reads what stands between the items of an object or a list, and reports whether there is another one.
func (d *document) follows(first bool, closing byte) bool {
	if d.err != nil {
		return false
	}
	c, err := d.peek()
	if err == nil && c == closing {
		d.at++
		return false
	}
	if err == nil && !first {
		err = d.take(',')
	}
	if err != nil {
		d.broken(err)
	}
	return err == nil
}

// enter goes one step down; false: too deep to be a snapshot.
func (d *document) enter() bool {
	if len(d.path) >= maxDepth {
		d.refuseAt(placeOf(d.path[:3])+"…", "nested too deeply", "snapshots are written by \"gatecamp snapshot\"")
		return false
	}
	d.path = append(d.path, step{index: -1})
	return true
}

// object reads an object, key by key; each must read or skip the value. All else is refused.
func (d *document) object(t token, each func(key string)) {
	if t.kind != isObject {
		d.wrong(t, "an object {…}")
		return
	}
	if !d.enter() {
		return
	}
	for first := true; d.follows(first, '}'); first = false {
		key, ok := d.key()
		if !ok {
			break
		}
		d.path[len(d.path)-1].key = key
		if key == "" {
			d.skip() // an empty key means nothing here, and has no place
			continue
		}
		each(key)
	}
	d.path = d.path[:len(d.path)-1]
}

// key reads a key and its colon.
func (d *document) key() (key string, ok bool) {
	c, err := d.peek()
	if err == nil && c != '"' {
		err = d.bad("%q where a key should be", c)
	}
	var text []byte
	if err == nil {
		text, err = d.text()
	}
	if err == nil {
		if key, ok = d.keys[string(text)]; !ok {
			key = string(text)
			if len(d.keys) < 256 && len(key) < 64 {
				d.keys[key] = key
			}
		}
		err = d.take(':')
	}
	if err != nil {
		d.broken(err)
	}
	return key, err == nil
}

// array reads a list, item by item.
func (d *document) array(t token, what string, each func(t token)) {
	if t.kind != isList {
		d.wrong(t, "a list of "+what)
		return
	}
	if !d.enter() {
		return
	}
	for i := 0; d.follows(i == 0, ']'); i++ {
		d.path[len(d.path)-1].index = i
		if t := d.token(); d.err == nil {
			each(t)
		}
	}
	d.path = d.path[:len(d.path)-1]
}

// skip reads over a value.
func (d *document) skip() { d.skipFrom(d.token()) }

func (d *document) skipFrom(t token) {
	switch t.kind {
	case isObject:
		d.object(t, func(string) { d.skip() })
	case isList:
		d.array(t, "", d.skipFrom)
	case nothing, isNull, isTrue, isFalse, isNumber, isText:
	}
}

// finished refuses what follows the value.
func (d *document) finished() {
	if d.err != nil {
		return
	}
	switch c, err := d.peek(); {
	case errors.Is(err, errCutOff):
	case err != nil:
		d.broken(err)
	default:
		d.refuseAt("", fmt.Sprintf("%q follows the snapshot at byte %d", c, d.offset()), "one file holds one snapshot")
	}
}

// wrong refuses a value of the wrong kind.
func (d *document) wrong(t token, want string) {
	if d.err == nil {
		d.refuse(show(t)+", where "+want+" should be", "")
	}
}

// show is a token as a refusal quotes it.
func show(t token) string {
	switch t.kind {
	case isObject:
		return "an object"
	case isList:
		return "a list"
	case isTrue:
		return "true"
	case isFalse:
		return "false"
	case isText:
		if len(t.text) > 60 {
			return strconv.Quote(string(t.text[:60])) + "…"
		}
		return strconv.Quote(string(t.text))
	case isNumber:
		return fmt.Sprintf("%.60s", t.text)
	case isNull, nothing:
	}
	return "null"
}

// textToken is the next value, which must be text. It is good until the next token.
func (d *document) textToken() []byte {
	t := d.token()
	if t.kind != isText {
		d.wrong(t, "text")
		return nil
	}
	return t.text
}

// textOrNull is empty for null.
func (d *document) textOrNull() []byte {
	t := d.token()
	if t.kind != isText && t.kind != isNull {
		d.wrong(t, "text")
		return nil
	}
	return t.text
}

func (d *document) flag(otherwise bool) bool {
	t := d.token()
	switch t.kind {
	case isTrue, isFalse:
		return t.kind == isTrue
	case isNull:
	case nothing, isNumber, isText, isObject, isList:
		d.wrong(t, "true or false")
	}
	return otherwise
}

// whole is a whole number from 0; null gives otherwise.
func (d *document) whole(otherwise int) int {
	t := d.token()
	if t.kind == isNull {
		return otherwise
	}
	if t.kind == isNumber {
		if i, err := strconv.ParseInt(string(t.text), 10, 32); err == nil && i >= 0 {
			return int(i)
		}
	}
	d.wrong(t, "a whole number from 0")
	return otherwise
}

const idCure = "write an id as a string of digits, 1 to 9223372036854775807"

// id is a Discord id, written as text or as a number.
func (d *document) id() snowflake.ID { return d.idOf(d.token()) }

func (d *document) idOf(t token) snowflake.ID {
	if t.kind == isText || t.kind == isNumber {
		if id, ok := parseID(t.text); ok {
			return id
		}
	}
	if d.err == nil {
		d.refuse(show(t)+" is no id", idCure)
	}
	return 0
}

// idOrNull is zero for null.
func (d *document) idOrNull() snowflake.ID {
	t := d.token()
	if t.kind == isNull {
		return 0
	}
	return d.idOf(t)
}

func parseID(digits []byte) (snowflake.ID, bool) {
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	n := uint64(0)
	for i := range len(digits) {
		c := digits[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return snowflake.ID(n), n > 0 && n <= 1<<63-1
}

// instant is an RFC 3339 time in UTC; null gives zero.
func (d *document) instant() time.Time {
	t := d.token()
	if t.kind == isNull {
		return time.Time{}
	}
	if t.kind == isText {
		if at, err := time.Parse(time.RFC3339Nano, string(t.text)); err == nil && at.Unix() > 0 {
			return at.UTC()
		}
	}
	d.wrong(t, "a time such as \"2026-11-22T18:30:00Z\"")
	return time.Time{}
}

// optional reads a value that may be null, and does nothing then.
func (d *document) optional(read func(t token)) {
	if t := d.token(); t.kind != isNull && d.err == nil {
		read(t)
	}
}
