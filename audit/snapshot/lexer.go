package snapshot

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is what a token is: the bracket that opens an object or a list, or one of these.
type kind byte

// The kinds.
const (
	nothing  kind = 0 // something is wrong
	isNull   kind = 'n'
	isTrue   kind = 't'
	isFalse  kind = 'f'
	isNumber kind = '0'
	isText   kind = '"'
	isObject kind = '{'
	isList   kind = '['
)

// token is one scalar, or the beginning of an object or a list.
type token struct {
	kind kind
	text []byte // of text and numbers; good until the next token is read
}

// maxText is longer than any text in a snapshot: it bounds what one token may cost.
const maxText = 1 << 20

// lexer cuts RFC 8259 JSON into tokens. encoding/json's tokens took many times as long for a guild (see
// the benchmarks), and passed invalid UTF-8 off as text.
type lexer struct {
	from    io.Reader
	buf     []byte
	at, end int
	before  int64 // bytes before buf[0]
	ended   error // what the reader said last
	scratch []byte
}

func newLexer(from io.Reader) lexer { return lexer{from: from, buf: make([]byte, 0, 1<<16)} }

// The ways in which a text is not JSON. Read errors come as they are.
var (
	errEmpty  = errors.New("empty")
	errCutOff = errors.New("cut off")
)

// syntaxError says what was not expected where.
type syntaxError struct {
	offset int64
	says   string
}

func (e *syntaxError) Error() string { return e.says }

// offset is how many bytes were read.
func (l *lexer) offset() int64 { return l.before + int64(l.at) }

func (l *lexer) bad(format string, args ...any) error {
	return &syntaxError{l.offset(), fmt.Sprintf(format, args...)}
}

// more reads on and keeps what begins at keep, which may move. It returns errCutOff at the end.
func (l *lexer) more(keep int) error {
	if l.ended != nil {
		if errors.Is(l.ended, io.EOF) {
			return errCutOff
		}
		return l.ended
	}
	if l.end == cap(l.buf) {
		l.makeRoom(keep)
	}
	for range 100 {
		n, err := l.from.Read(l.buf[l.end:cap(l.buf)])
		l.end += n
		l.buf = l.buf[:l.end]
		if err != nil {
			l.ended = err
		}
		if n > 0 {
			return nil
		}
		if err != nil {
			return l.more(keep)
		}
	}
	return io.ErrNoProgress
}

// makeRoom moves what is kept to the front of the buffer, and makes the buffer larger where that is most of it.
func (l *lexer) makeRoom(keep int) {
	room := l.buf[:cap(l.buf)]
	if l.end-keep > cap(l.buf)/2 {
		room = make([]byte, 2*cap(l.buf))
	}
	kept := copy(room, l.buf[keep:l.end])
	l.before += int64(keep)
	l.at, l.end, l.buf = l.at-keep, kept, room[:kept]
}

// peek skips blanks and gives the next byte without taking it.
func (l *lexer) peek() (byte, error) {
	for {
		for l.at < l.end {
			switch c := l.buf[l.at]; c {
			case ' ', '\t', '\n', '\r':
				l.at++
			default:
				return c, nil
			}
		}
		if err := l.more(l.at); err != nil {
			return 0, err
		}
	}
}

// begin drops a byte order mark. A text of blanks is empty.
func (l *lexer) begin() error {
	for l.end < 3 {
		if err := l.more(l.at); err != nil {
			break
		}
	}
	if l.end >= 3 && string(l.buf[:3]) == "\uFEFF" {
		l.at = 3
	}
	_, err := l.peek()
	if errors.Is(err, errCutOff) {
		return errEmpty
	}
	return err
}

// take reads the one byte that must come next.
func (l *lexer) take(want byte) error {
	c, err := l.peek()
	switch {
	case err != nil:
		return err
	case c != want:
		return l.bad("%q where %q should be", c, want)
	}
	l.at++
	return nil
}

// value reads the beginning of a value.
func (l *lexer) value() (token, error) {
	c, err := l.peek()
	if err != nil {
		return token{}, err
	}
	switch c {
	case '{', '[':
		l.at++
		return token{kind: kind(c)}, nil
	case '"':
		text, err := l.text()
		return token{isText, text}, err
	case 't':
		return token{kind: isTrue}, l.word("true")
	case 'f':
		return token{kind: isFalse}, l.word("false")
	case 'n':
		return token{kind: isNull}, l.word("null")
	}
	if c == '-' || '0' <= c && c <= '9' {
		text, err := l.number()
		return token{isNumber, text}, err
	}
	return token{}, l.bad("%q where a value should be", c)
}

func (l *lexer) word(word string) error {
	for i := range len(word) {
		c, err := l.byteAt(i)
		if err != nil {
			return err
		}
		if c != word[i] {
			return l.bad("a word that is not %s", word)
		}
	}
	l.at += len(word)
	return nil
}

// byteAt is the byte i after the next one, read if need be.
func (l *lexer) byteAt(i int) (byte, error) {
	for l.at+i >= l.end {
		if err := l.more(l.at); err != nil {
			return 0, err
		}
	}
	return l.buf[l.at+i], nil
}

// number reads a number as it is written: digits are never rounded.
func (l *lexer) number() ([]byte, error) {
	n := 0
	next := func() byte {
		c, err := l.byteAt(n)
		if err != nil || n > 1_000 {
			return 0
		}
		return c
	}
	digits := func() bool {
		begin := n
		for c := next(); '0' <= c && c <= '9'; c = next() {
			n++
		}
		return n > begin
	}
	ok := true
	if next() == '-' {
		n++
	}
	if next() == '0' {
		n++
	} else {
		ok = digits()
	}
	if next() == '.' {
		n++
		ok = digits() && ok
	}
	if c := next(); c == 'e' || c == 'E' {
		n++
		if c := next(); c == '+' || c == '-' {
			n++
		}
		ok = digits() && ok
	}
	_, err := l.byteAt(n)
	switch {
	case err != nil && !errors.Is(err, errCutOff):
		return nil, err
	case !ok && err != nil:
		return nil, errCutOff
	case !ok || n > 1_000:
		return nil, l.bad("no number")
	}
	text := l.buf[l.at : l.at+n]
	l.at += n
	return text, nil
}

// text reads a string. Most have no escapes and are given as they lie in the buffer.
func (l *lexer) text() ([]byte, error) {
	escaped, ascii := false, true
	i := 1
	for {
		for l.at+i < l.end {
			c := l.buf[l.at+i]
			switch {
			case c == '"':
				raw := l.buf[l.at+1 : l.at+i]
				if i > maxText {
					return nil, l.bad("a text of more than %d bytes", maxText)
				}
				if !ascii {
					if bad := wholeText(raw); bad < len(raw) {
						l.at += 1 + bad
						return nil, &syntaxError{l.offset(), notUTF8}
					}
				}
				if escaped {
					return l.unescape(raw, i)
				}
				l.at += i + 1
				return raw, nil
			case c == '\\':
				escaped = true
				i += 2
				continue
			case c < ' ':
				l.at += i
				return nil, l.bad("a control character inside text")
			case c >= utf8.RuneSelf:
				ascii = false
			}
			i++
		}
		if i > maxText {
			return nil, l.bad("a text of more than %d bytes", maxText)
		}
		if err := l.more(l.at); err != nil {
			return nil, err
		}
	}
}

// notUTF8 is what a syntaxError says of bytes that are no text.
const notUTF8 = "not UTF-8"

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

// unescape resolves the escapes of a text of n bytes. Halves of surrogate pairs become U+FFFD, as in encoding/json.
func (l *lexer) unescape(raw []byte, n int) ([]byte, error) {
	out := l.scratch[:0]
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b', 'f', 'n', 'r', 't':
			out = append(out, map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c])
		case 'u':
			r, ok := hex4(raw[i+1:])
			if !ok {
				l.at += i
				return nil, l.bad("an escape that is not \\u and four digits")
			}
			i += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low, ok = hex4(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			l.at += i
			return nil, l.bad("an escape that JSON does not know")
		}
	}
	l.at += n + 1
	l.scratch = out
	return out, nil
}

func hex4(p []byte) (r rune, ok bool) {
	if len(p) < 4 {
		return 0, false
	}
	for _, c := range p[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
