package snapshot

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// say reads a text with the lexer and writes what it read.
func say(data []byte, slow bool) (string, error) {
	var d *document
	if slow {
		d = newDocument(iotest.OneByteReader(bytes.NewReader(data)), "f")
	} else {
		d = newDocument(bytes.NewReader(data), "f")
	}
	var b strings.Builder
	var value func(t token)
	value = func(t token) {
		switch t.kind {
		case isObject:
			b.WriteByte('{')
			n := 0
			d.object(t, func(key string) {
				if n++; n > 1 {
					b.WriteByte(',')
				}
				quoted, _ := marshal(key)
				b.Write(quoted)
				b.WriteByte(':')
				value(d.token())
			})
			b.WriteByte('}')
		case isList:
			b.WriteByte('[')
			n := 0
			d.array(t, "", func(t token) {
				if n++; n > 1 {
					b.WriteByte(',')
				}
				value(t)
			})
			b.WriteByte(']')
		case isText:
			quoted, _ := marshal(string(t.text))
			b.Write(quoted)
		case isNumber:
			b.Write(t.text)
		case isTrue:
			b.WriteString("true")
		case isFalse:
			b.WriteString("false")
		case isNull:
			b.WriteString("null")
		case nothing:
		}
	}
	value(d.token())
	d.finished()
	return b.String(), d.err
}

// The lexer accepts what encoding/json accepts, apart from invalid UTF-8, depth and very long words, and reads the same in it,
// however the bytes arrive.
func FuzzLexer(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, -2.5e+10, true, false, null, "x\n\u00e9\ud83d\ude00\ud800"]}`, `"\`, `"\u12`, `[1,]`, `{"a" 1}`, `-`, `01`, `1.`, `1e`, "\"\x01\"", `[[[[`, `nul`,
		" \t\r\n[]", "\"\xff\"", "\uFEFF{}", `{"": 1}`, `[1 2]`, `{"a":1,}`, `"\ud83dx"`, `"\ud83d\u0041"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := say(data, false)
		slow, slowErr := say(data, true)
		if got != slow || (err == nil) != (slowErr == nil) {
			t.Fatalf("read %q (%v) at once and %q (%v) byte by byte", got, err, slow, slowErr)
		}
		plain := bytes.TrimPrefix(data, []byte("\uFEFF"))
		if !utf8.Valid(data) || bytes.Contains(data, []byte(`"":`)) || deep(plain) || longWord(plain) {
			return
		}
		if valid := json.Valid(plain); valid != (err == nil) {
			t.Fatalf("encoding/json: %t; here: %v", valid, err)
		}
		if err != nil {
			return
		}
		var want, have any
		if err := json.Unmarshal(plain, &want); err != nil {
			return // a number too large for a float
		}
		if err := json.Unmarshal([]byte(got), &have); err != nil {
			t.Fatalf("said %q: %v", got, err)
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(have)
		if !bytes.Equal(a, b) && !bytes.Contains(a, []byte(`"":`)) {
			t.Fatalf("read %s, encoding/json reads %s", b, a)
		}
	})
}

// Texts longer than the buffer, and cut anywhere by it, come out whole.
func TestLongTextsAreReadWhole(t *testing.T) {
	for _, n := range []int{65_534, 65_535, 65_536, 65_537, 200_000} {
		long := strings.Repeat("ü", n/2) + `\"`
		for _, slow := range []bool{false, true} {
			got, err := say([]byte(` [0, "`+long+`", "x"]`), slow)
			if err != nil || got != `[0,"`+long+`","x"]` {
				t.Errorf("%d bytes: %v, %d bytes back", n, err, len(got))
			}
		}
	}
	_, err := say([]byte(`["`+strings.Repeat("x", maxText+100_000)+`"]`), false)
	if err == nil || !strings.Contains(err.Error(), "a text of more than") {
		t.Errorf("a text of a megabyte and more: %v", err)
	}
}

func deep(data []byte) bool {
	depth, most := 0, 0
	for _, c := range data {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		most = max(most, depth)
	}
	return most >= maxDepth
}

func longWord(data []byte) bool { return len(data) > 900 }
