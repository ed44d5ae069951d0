package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
)

// maxDepth is deeper than anything in a snapshot, and keeps a file of brackets from being believed.
const maxDepth = 64

// document reads JSON token by token, knows where it is, and keeps the first thing that is wrong: after that every reader returns
// at once with nothing, and every loop ends.
type document struct {
	name string
	json *json.Decoder
	path []step
	err  error
}

// step is one part of a place: a key, or an index.
type step struct {
	key   string // empty: an index
	index int    // negative, without a key: nowhere yet
}

func newDocument(r io.Reader, name string) *document {
	d := &document{name: name, json: json.NewDecoder(&utf8Reader{from: r})}
	d.json.UseNumber()
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

// token is the next token; nil also when something is wrong.
func (d *document) token() json.Token {
	if d.err != nil {
		return nil
	}
	t, err := d.json.Token()
	if err != nil {
		d.broken(err)
		return nil
	}
	return t
}

// broken explains why there is no next token.
func (d *document) broken(err error) {
	var syntax *json.SyntaxError
	var odd *notUTF8Error
	where := ""
	if place := d.place(); place != "" {
		where = ", in " + place
	}
	switch {
	case errors.As(err, &odd):
		d.refuseAt("", fmt.Sprintf("byte %d is not UTF-8%s", odd.offset, where), "save the file in UTF-8")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input":
		if d.json.InputOffset() == 0 {
			d.refuseAt("", "empty", "write the snapshot again")
			return
		}
		d.refuseAt("", fmt.Sprintf("cut off at byte %d%s", d.json.InputOffset(), where), "copy or write the snapshot again")
	case errors.As(err, &syntax):
		d.refuseAt("", fmt.Sprintf("not JSON at byte %d%s: %s", syntax.Offset, where, syntax), "snapshots are written by \"gatecamp snapshot\"")
	default:
		if d.err == nil {
			d.err = fmt.Errorf("%s: %w", d.name, err)
		}
	}
}

// object reads an object, key by key; each must read or skip the value. Null, unless optional, and all else is refused.
func (d *document) object(t json.Token, each func(key string)) {
	if t != json.Delim('{') {
		d.wrong(t, "an object {…}")
		return
	}
	d.path = append(d.path, step{index: -1})
	for d.err == nil && d.json.More() {
		key, _ := d.token().(string)
		d.path[len(d.path)-1].key = key
		if key == "" {
			d.skip() // an empty key means nothing here, and has no place
			continue
		}
		each(key)
	}
	d.path = d.path[:len(d.path)-1]
	d.token()
}

// array reads a list, item by item.
func (d *document) array(t json.Token, what string, each func(t json.Token)) {
	if t != json.Delim('[') {
		d.wrong(t, "a list of "+what)
		return
	}
	d.path = append(d.path, step{})
	for i := 0; d.err == nil && d.json.More(); i++ {
		d.path[len(d.path)-1].index = i
		each(d.token())
	}
	d.path = d.path[:len(d.path)-1]
	d.token()
}

// skip reads over a value.
func (d *document) skip() { d.skipFrom(d.token()) }

func (d *document) skipFrom(t json.Token) {
	depth := 0
	for d.err == nil {
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxDepth {
			d.refuse("nested too deeply", "snapshots are written by \"gatecamp snapshot\"")
		}
		if depth <= 0 {
			return
		}
		t = d.token()
	}
}

// end refuses what follows the value.
func (d *document) end() {
	if d.err != nil {
		return
	}
	switch _, err := d.json.Token(); {
	case errors.Is(err, io.EOF):
	case err == nil:
		d.refuseAt("", fmt.Sprintf("something follows the snapshot at byte %d", d.json.InputOffset()), "one file holds one snapshot")
	default:
		d.broken(err)
	}
}

// wrong refuses a value of the wrong kind.
func (d *document) wrong(t json.Token, want string) {
	if d.err == nil {
		d.refuse(show(t)+", where "+want+" should be", "")
	}
}

// show is a token as a refusal quotes it.
func show(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null"
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "a list"
	case string:
		if len(t) > 60 {
			return strconv.Quote(t[:60]) + "…"
		}
		return strconv.Quote(t)
	}
	return fmt.Sprintf("%.60s", fmt.Sprint(t))
}

func (d *document) text() string {
	t := d.token()
	s, ok := t.(string)
	if !ok {
		d.wrong(t, "text")
	}
	return s
}

// textOrNull is empty for null.
func (d *document) textOrNull() string {
	t := d.token()
	s, ok := t.(string)
	if !ok && t != nil {
		d.wrong(t, "text")
	}
	return s
}

func (d *document) flag(otherwise bool) bool {
	switch t := d.token().(type) {
	case bool:
		return t
	case nil:
		return otherwise
	default:
		d.wrong(t, "true or false")
		return otherwise
	}
}

// whole is a whole number from 0; null gives otherwise.
func (d *document) whole(otherwise int) int {
	t := d.token()
	if t == nil {
		return otherwise
	}
	if n, ok := t.(json.Number); ok {
		if i, err := strconv.ParseInt(string(n), 10, 32); err == nil && i >= 0 {
			return int(i)
		}
	}
	d.wrong(t, "a whole number from 0")
	return otherwise
}

const idCure = "write an id as a string of digits, 1 to 9223372036854775807"

// id is a Discord id, written as text or as a number.
func (d *document) id() snowflake.ID { return d.idOf(d.token()) }

func (d *document) idOf(t json.Token) snowflake.ID {
	var digits string
	switch t := t.(type) {
	case string:
		digits = t
	case json.Number:
		digits = string(t)
	}
	if id, ok := parseID(digits); ok {
		return id
	}
	if d.err == nil {
		d.refuse(show(t)+" is no id", idCure)
	}
	return 0
}

// idOrNull is zero for null.
func (d *document) idOrNull() snowflake.ID {
	t := d.token()
	if t == nil {
		return 0
	}
	return d.idOf(t)
}

func parseID(digits string) (snowflake.ID, bool) {
	if digits == "" || len(digits) > 19 {
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
	if t == nil {
		return time.Time{}
	}
	if s, ok := t.(string); ok {
		if at, err := time.Parse(time.RFC3339Nano, s); err == nil && at.Unix() > 0 {
			return at.UTC()
		}
	}
	d.wrong(t, "a time such as \"2026-11-22T18:30:00Z\"")
	return time.Time{}
}

// optional reads a value that may be null, and does nothing then.
func (d *document) optional(read func(t json.Token)) {
	if t := d.token(); t != nil {
		read(t)
	}
}

// notUTF8Error says which byte is not text.
type notUTF8Error struct{ offset int64 }

func (e *notUTF8Error) Error() string { return fmt.Sprintf("byte %d is not UTF-8", e.offset) }

// utf8Reader passes text through, drops a byte order mark, and refuses what is not UTF-8: the decoder would replace it silently.
type utf8Reader struct {
	from   io.Reader
	offset int64
	tail   []byte // begins a character whose end has not been read
	buf    [utf8.UTFMax]byte
	ended  error
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	if len(p) < utf8.UTFMax {
		return 0, io.ErrShortBuffer
	}
	if u.ended != nil {
		return 0, u.ended
	}
	n := copy(p, u.tail)
	u.tail = nil
	m, err := u.from.Read(p[n:])
	n += m
	whole := wholeText(p[:n])
	switch {
	case whole < n && utf8.FullRune(p[whole:n]):
		err = &notUTF8Error{u.offset + int64(whole)}
	case whole < n && errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	u.tail = append(u.buf[:0], p[whole:n]...)
	if err != nil {
		u.ended = err
	}
	text := p[:whole]
	if u.offset == 0 && len(text) >= 3 && string(text[:3]) == "\uFEFF" {
		copy(text, text[3:])
		whole -= 3
		u.offset += 3
	}
	u.offset += int64(whole)
	return whole, err
}

// wholeText is how many bytes are text.
func wholeText(p []byte) int {
	for i := 0; i < len(p); {
		if p[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(p)
}
