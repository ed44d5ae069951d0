// Package secret holds strings that cannot print: tokens, webhook and database URLs, passwords.
//
// What must stay true: no verb of fmt, no marshaller and no log handler shows what is inside; only Reveal does.
package secret

import (
	"fmt"
	"log/slog"
)

const redacted = "[REDACTED]"

// String is a secret. Its zero value is an unset secret.
type String struct{ value string }

// New wraps a secret.
func New(value string) String { return String{value: value} }

// Reveal returns the secret itself: for the one call that needs it.
func (s String) Reveal() string { return s.value }

// IsSet reports whether there is anything inside.
func (s String) IsSet() bool { return s.value != "" }

func (s String) String() string {
	if s.value == "" {
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
	s.value = string(text)
	return nil
}

// LogValue keeps slog quiet.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
