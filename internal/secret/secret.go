// Package secret holds strings that cannot print: tokens, webhook and database URLs, passwords.
//
// What must stay true: no verb of fmt, no marshaller and no log handler shows what is inside; only Reveal does.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const redacted = "[REDACTED]"

// String is a secret. Its zero value is an unset secret. It cannot be compared with == or reflect.DeepEqual, see Equal.
type String struct {
	// A function, because fmt calls no method on unexported fields, and a comparison that differs prints whatever it can
	// reach: a string would be shown by both, even behind a pointer.
	reveal func() string
}

// New wraps a secret; the empty string is an unset one.
func New(value string) String {
	if value == "" {
		return String{}
	}
	return String{reveal: func() string { return value }}
}

// Reveal returns the secret itself: for the one call that needs it.
func (s String) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsSet reports whether there is anything inside.
func (s String) IsSet() bool { return s.reveal != nil }

// Equal reports whether both hold the same text, in a time that says nothing about where they differ.
func (s String) Equal(t String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String says that there is a secret, never which; an unset one is the empty string.
func (s String) String() string {
	if !s.IsSet() {
		return ""
	}
	return redacted
}

// GoString keeps %#v quiet too.
func (s String) GoString() string { return s.String() }

// Format keeps every verb quiet, %x and %q among them.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText keeps JSON, YAML and text quiet.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes a secret from text, so that configuration decoders can fill it.
func (s *String) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}

// LogValue keeps slog quiet.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
