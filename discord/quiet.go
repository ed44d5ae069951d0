package discord

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/disgoorg/disgo/rest"
)

// quietHandler drops disgo's debug records, which hold the bot's token and the tokens of interactions, and takes the tokens of webhooks
// and interactions out of the others: they are parts of addresses.
type quietHandler struct{ slog.Handler }

var addressTokens = regexp.MustCompile(`((?:webhooks|interactions)/\d+/)[^/\s"?]+`)

func hideTokens(text string) string { return addressTokens.ReplaceAllString(text, "${1}[hidden]") }

// Enabled is false for debug records.
func (h quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level > slog.LevelDebug && h.Handler.Enabled(ctx, level)
}

// Handle passes a record on without tokens.
func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, hideTokens(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(hideIn(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

// hideIn cleans one attribute. What is not plain is written out first.
func hideIn(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, hideTokens(v.String()))
	case slog.KindAny:
		return slog.String(a.Key, hideTokens(fmt.Sprint(v.Any())))
	case slog.KindGroup:
		members := make([]any, 0, len(v.Group()))
		for _, member := range v.Group() {
			members = append(members, hideIn(member))
		}
		return slog.Group(a.Key, members...)
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindTime, slog.KindUint64, slog.KindLogValuer:
	}
	return a
}

// WithAttrs keeps to what Handle promises.
func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = hideIn(a)
	}
	return quietHandler{h.Handler.WithAttrs(clean)}
}

// WithGroup keeps to what Handle promises.
func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}

// discreetClient takes the same tokens out of errors: those of a connection that failed quote the whole address.
type discreetClient struct{ rest.Client }

// Do is disgo's.
func (c discreetClient) Do(endpoint *rest.CompiledEndpoint, body, into any, opts ...rest.RequestOpt) error {
	err := c.Client.Do(endpoint, body, into, opts...)
	if err == nil {
		return nil
	}
	if text := err.Error(); hideTokens(text) != text {
		return &discreetError{text: hideTokens(text), err: err}
	}
	return err
}

// discreetError is an error without what its text must not say.
type discreetError struct {
	text string
	err  error
}

func (e *discreetError) Error() string { return e.text }
func (e *discreetError) Unwrap() error { return e.err }
