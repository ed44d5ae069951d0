// Package replay runs scenario files, gatecamp.enforcement.scenario/1, on the real guard with its clock and its faults injected.
//
// What must stay true: nothing is decided here. An answer says what the guard did, and a fault only makes what the guard depends on
// fail as it would.
package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rulefile"
	"gatecamp/internal/problem"
)

// Schema names the form of the files.
const Schema = "gatecamp.enforcement.scenario/1"

// File is one scenario.
type File struct {
	Schema    string          `json:"schema"`
	ID        string          `json:"id"`
	Title     string          `json:"title"`
	Tags      []string        `json:"tags"`
	Refs      []string        `json:"refs"`
	Config    json.RawMessage `json:"config"`
	RightBoot string          `json:"right_boot"`
	Steps     []*Step         `json:"steps"`
}

// text takes strings and numbers alike.
type text string

// UnmarshalJSON reads a string or a number as it is written.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if len(raw) > 0 && raw[0] != '"' {
		if string(raw) != "null" {
			*t = text(raw)
		}
		return nil
	}
	err := json.Unmarshal(raw, &s)
	*t = text(s)
	return err
}

// Actor is who acts in a step.
type Actor struct {
	IP        text   `json:"ip"`
	User      text   `json:"user"`
	Session   text   `json:"session"`
	Account   text   `json:"account"`
	Guild     text   `json:"guild"`
	Channel   text   `json:"channel"`
	Webhook   text   `json:"webhook"`
	Roles     []text `json:"roles"`
	Superuser bool   `json:"superuser"`
}

// Step is one thing that happens.
type Step struct {
	At     string `json:"at"`
	Do     string `json:"do"`
	Expect *struct {
		Right map[string]any `json:"right"`
	} `json:"expect"`

	Actor         Actor          `json:"actor"`
	Path          string         `json:"path"`
	Method        string         `json:"method"`
	Headers       map[string]any `json:"headers"`
	HandlerStatus int            `json:"handler_status"`
	Type          string         `json:"type"`
	Fields        map[string]any `json:"fields"`

	Scope     string `json:"scope"`
	Value     text   `json:"value"`
	Namespace text   `json:"namespace"`
	TTL       string `json:"ttl"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
	Status    int    `json:"status"`
	By        string `json:"by"`

	Target string `json:"target"`
	Kind   string `json:"kind"`
	Bytes  string `json:"bytes"`

	Config json.RawMessage `json:"config"`

	N     int             `json:"n"`
	Every string          `json:"every"`
	Step  json.RawMessage `json:"step"`
}

// Read parses a file; name is for the words of a refusal.
func Read(raw []byte, name string) (*File, error) {
	var f File
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, problem.New(problem.Usage, fmt.Sprintf("%s is no scenario: %s; nothing was run", name, where(raw, err)), "").Because(err)
	}
	if f.Schema != Schema {
		return nil, problem.New(problem.Usage, fmt.Sprintf("%s is of the form %q; nothing was run", name, f.Schema), "the form that is read here is "+Schema)
	}
	if f.RightBoot != "" && (f.RightBoot != refused || len(f.Steps) > 0) {
		return nil, problem.Usagef("%s: right_boot is only ever \"refused\", and then there are no steps; nothing was run", name)
	}
	last := time.Duration(0)
	for i, s := range f.Steps {
		at, err := rulefile.ParseDuration(s.At)
		if s.At == "" {
			at, err = last, nil
		}
		if err != nil || at < last {
			return nil, problem.Usagef("%s: steps[%d].at is %q; it is the time since the start and never goes back; nothing was run", name, i, s.At)
		}
		if !slices.Contains(deeds, s.Do) {
			return nil, problem.Usagef("%s: steps[%d].do is %q; there are %s; nothing was run", name, i, s.Do, strings.Join(deeds, ", "))
		}
		last = at
	}
	return &f, nil
}

var deeds = []string{"request", "event", "block", "unblock", "check", "fault", "restart", "repeat", "parallel"}

func where(raw []byte, err error) string {
	var offset int64
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	if offset <= 0 || offset > int64(len(raw)) {
		return err.Error()
	}
	before := raw[:offset]
	return fmt.Sprintf("line %d, column %d: %s", 1+bytes.Count(before, []byte("\n")), int(offset)-bytes.LastIndexByte(before, '\n')-1, err)
}

// configOf reads a configuration: extra settings are settings, keys of the peer are none, and what is not known is refused.
func (r *run) configOf(raw json.RawMessage) (enforcement.Config, error) {
	keys := map[string]json.RawMessage{}
	if len(raw) > 0 && string(raw) != "null" {
		if err := json.Unmarshal(raw, &keys); err != nil {
			return enforcement.Config{}, fmt.Errorf("config: %w", err)
		}
	}
	extra := map[string]json.RawMessage{}
	if e, there := keys["extra"]; there {
		if err := json.Unmarshal(e, &extra); err != nil {
			return enforcement.Config{}, fmt.Errorf("config.extra: %w", err)
		}
		delete(keys, "extra")
	}
	maps.Copy(keys, extra)
	maps.DeleteFunc(keys, func(k string, _ json.RawMessage) bool { return strings.HasPrefix(k, "peer") })
	if rules, there := keys["rules"]; there {
		var all []map[string]json.RawMessage
		if err := json.Unmarshal(rules, &all); err != nil {
			return enforcement.Config{}, fmt.Errorf("config.rules: %w", err)
		}
		for _, rule := range all {
			maps.DeleteFunc(rule, func(k string, _ json.RawMessage) bool { return strings.HasPrefix(k, "peer") })
		}
		keys["rules"] = encode(all)
	}
	d := json.NewDecoder(bytes.NewReader(encode(keys)))
	d.DisallowUnknownFields()
	var f rulefile.File
	if err := d.Decode(&f); err != nil {
		return enforcement.Config{}, fmt.Errorf("config: %w", err)
	}
	return f.Config(r.names.of)
}

// encode makes JSON of what was JSON.
func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("what was JSON is none: %v", err))
	}
	return raw
}
