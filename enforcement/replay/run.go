package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/enforcement/rulefile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// What became of a boot, a restart, a block.
const (
	fine    = "ok"
	none    = "none"
	failure = "error"
	refused = "refused"
)

// Result is what came of a file.
type Result struct {
	ID       string           `json:"id"`
	Boot     string           `json:"boot"`
	Why      string           `json:"why,omitempty"` // of a refused boot
	Answers  []map[string]any `json:"answers"`
	Failures []string         `json:"failures"`
}

// begin is the instant at which every scenario begins.
var begin = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// run is a scenario that is being run.
type run struct {
	names *names
	clock atomic.Int64
	on    *Engine
	store *faulty
	away  *away // in place of Redis
	guard *guard.Guard
	conf  enforcement.Config
	raw   json.RawMessage

	mu      sync.Mutex
	events  map[string]int
	applied []string // whom rules have newly blocked
	// breaches are events that are not as the table of attributes says.
	breaches []string
	silent   atomic.Bool
}

// Silent satisfies guard.Stream.
func (r *run) Silent(time.Time) bool { return r.on.Silent || r.silent.Load() }

// Run satisfies guard.Stream: scenarios have one process.
func (r *run) Run(ctx context.Context, _ func(storage.BlockNews)) error {
	<-ctx.Done()
	return nil
}

func (r *run) now() time.Time { return time.UnixMicro(r.clock.Load()).UTC() }

func (r *run) advance(d time.Duration) {
	if t := begin.Add(d).UnixMicro(); t > r.clock.Load() {
		r.clock.Store(t)
	}
}

func (r *run) emit(e enforcement.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[e.Type.String()]++
	if b := e.Breach(); b != "" && !slices.Contains(r.breaches, b) {
		r.breaches = append(r.breaches, b)
	}
	if e.Type == enforcement.BlockApplied && e.Before.IsZero() && strings.HasPrefix(e.Actor, "rule:") {
		r.applied = append(r.applied, r.names.back(e.Subject))
	}
}

// Run runs a file on an empty engine.
func Run(ctx context.Context, f *File, on Engine) (*Result, error) {
	r := &run{names: newNames(), on: &on, store: &faulty{Store: on.Store}, away: &away{}, events: map[string]int{}, raw: f.Config}
	r.clock.Store(begin.UnixMicro())
	out := &Result{ID: f.ID, Boot: fine, Answers: []map[string]any{}, Failures: []string{}}
	if err := r.boot(ctx, f.Config); err != nil {
		out.Boot, out.Why = refused, err.Error()
		if f.RightBoot != refused {
			out.Failures = append(out.Failures, "boot: refused: "+err.Error())
		}
		return out, nil
	}
	if f.RightBoot == refused {
		out.Failures = append(out.Failures, "boot: it was accepted, and must be refused")
	}
	for i, s := range f.Steps {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if at, err := rulefile.ParseDuration(s.At); err == nil {
			r.advance(at)
		}
		r.events, r.applied = map[string]int{}, []string{}
		answer, err := r.step(ctx, s)
		if err != nil {
			return nil, problem.Usagef("%s: steps[%d]: %s; the rest was not run", f.ID, i, err)
		}
		slices.Sort(r.applied)
		answer["events"], answer["applied"] = r.events, slices.Compact(r.applied)
		answer = plain(answer)
		out.Answers = append(out.Answers, answer)
		if s.Expect != nil && answer["skipped"] == nil {
			for _, d := range compare(s.Expect.Right, answer) {
				out.Failures = append(out.Failures, fmt.Sprintf("steps[%d] (%s at %s): %s", i, s.Do, s.At, d))
			}
		}
	}
	for _, b := range r.breaches {
		out.Failures = append(out.Failures, "an event is not as documented: "+b)
	}
	return out, nil
}

// boot makes a guard of the configuration, as a process that starts does.
func (r *run) boot(ctx context.Context, raw json.RawMessage) error {
	c, err := r.configOf(raw)
	if err != nil {
		return err
	}
	parts := guard.Parts{Store: r.store, Stream: r, Emit: r.emit, Now: r.now}
	if r.on.Copies != nil {
		parts.Copies = copies{r.on.Copies, r.away}
	}
	if r.on.Counts != nil {
		parts.Counts = counts{r.on.Counts(), r.away}
	}
	g, err := guard.New(c, parts)
	if err != nil {
		return err
	}
	if err := g.Load(ctx); err != nil && !r.store.failing() {
		return err
	}
	r.guard, r.conf, r.raw = g, c, raw
	return nil
}

// step does one step and says what came of it.
func (r *run) step(ctx context.Context, s *Step) (map[string]any, error) {
	switch s.Do {
	case "request":
		return r.request(ctx, s), nil
	case "event":
		r.record(ctx, s.Type, r.actor(&s.Actor), "", s.Fields)
		return map[string]any{}, nil
	case "block":
		return r.block(ctx, s), nil
	case "unblock":
		return r.unblock(ctx, s), nil
	case "check":
		return r.check(s), nil
	case "fault":
		return r.fault(ctx, s)
	case "restart":
		return r.restart(ctx, s), nil
	case "repeat", "parallel":
		return r.many(ctx, s)
	}
	return nil, fmt.Errorf("%q is no step", s.Do)
}

func (r *run) actor(a *Actor) enforcement.Actor {
	actor := enforcement.Actor{
		User: r.names.number(a.User), Account: r.names.number(a.Account), Guild: r.names.number(a.Guild), Channel: r.names.number(a.Channel),
		Webhook: r.names.number(a.Webhook), Superuser: a.Superuser,
	}
	for _, role := range a.Roles {
		if id := r.names.number(role); id != 0 {
			actor.Roles = append(actor.Roles, id)
		}
	}
	if s, err := enforcement.ParseSubject(enforcement.Session, string(a.Session)); err == nil {
		actor.Session = s.Text
	}
	if ip, err := enforcement.ParseAddr(string(a.IP)); err == nil {
		actor.IP = ip
	}
	return actor
}

func (r *run) record(ctx context.Context, kind string, actor enforcement.Actor, route string, fields map[string]any) {
	if p, ok := fields["path"].(string); ok && route == "" {
		route = p
	}
	r.guard.Record(ctx, &enforcement.Incident{Type: kind, Actor: actor, Route: route, Fields: fields})
}

func (r *run) request(ctx context.Context, s *Step) map[string]any {
	actor := r.actor(&s.Actor)
	var forwarded []string
	for name, value := range s.Headers {
		if !strings.EqualFold(name, "X-Forwarded-For") {
			continue
		}
		switch v := value.(type) {
		case string:
			forwarded = append(forwarded, v)
		case []any:
			for _, e := range v {
				forwarded = append(forwarded, fmt.Sprint(e))
			}
		}
	}
	if actor.IP.IsValid() {
		actor.IP = r.conf.Client(actor.IP, forwarded)
	} else {
		actor.IP = netip.Addr{}
	}
	method := s.Method
	if method == "" {
		method = "GET"
	}
	fields := map[string]any{"path": s.Path, "method": method}
	maps.Copy(fields, s.Fields)
	v := r.guard.Check(ctx, &guard.Attempt{Actor: actor, Route: s.Path, HTTP: true, Fields: fields})
	answer := map[string]any{"verdict": "allow"}
	if v.Degraded != 0 {
		answer["degraded"] = v.Degraded.String()
	}
	if v.Deny {
		answer["verdict"], answer["status"], answer["message"] = "deny", v.Status, v.Message
		if !v.By.IsZero() {
			answer["by"] = r.names.back(v.By)
		}
		if v.RetryAfter > 0 {
			answer["retry_after"] = enforcement.Seconds(v.RetryAfter)
		}
		return answer
	}
	status := s.HandlerStatus
	if status == 0 {
		status = 200
	}
	answer["status"] = status
	kind := ""
	switch status / 100 {
	case 2:
		kind = "http.response.success"
	case 3:
		kind = "http.response.redirect"
	case 4:
		kind = "http.response.client_error"
	case 5:
		kind = "http.response.server_error"
	}
	fields["status"] = status
	if kind != "" {
		r.record(ctx, kind, actor, s.Path, fields)
	}
	return answer
}

// subject reads the subject and the namespace of a step.
func (r *run) subject(s *Step) (ns enforcement.Namespace, sub enforcement.Subject, err error) {
	scope, err := enforcement.ParseBlockable(s.Scope)
	if err != nil {
		return 0, sub, err
	}
	if sub, err = enforcement.ParseSubject(scope, r.names.of(scope, strings.TrimSpace(string(s.Value)))); err != nil {
		return 0, sub, err
	}
	name := string(s.Namespace)
	if id, isGuild := strings.CutPrefix(name, "guild:"); isGuild {
		name = id
	}
	if name != "" && name != "global" {
		name = r.names.id(name)
	}
	ns, err = enforcement.ParseNamespace(name)
	return ns, sub, err
}

func (r *run) author(s *Step) storage.Author {
	by := storage.Author{Actor: "scenario", Origin: "scenario", Reason: s.Reason, At: r.now()}
	if s.By != "" {
		by.Actor = s.By
	}
	if strings.TrimSpace(by.Reason) == "" {
		by.Reason = "because the scenario says so"
	}
	return by
}

// block blocks as a person who insists: the language has no other word for it.
func (r *run) block(ctx context.Context, s *Step) map[string]any {
	ns, sub, err := r.subject(s)
	o := guard.Order{Namespace: ns, Subject: sub, Message: s.Message, Status: s.Status, Force: true, By: r.author(s)}
	if err == nil && s.TTL != "" && s.TTL != "permanent" {
		if o.TTL, err = rulefile.ParseDuration(s.TTL); err == nil && o.TTL <= 0 {
			err = problem.Usagef("a block lasts longer than nothing")
		}
	}
	if err == nil && s.Status != 0 && (s.Status < 400 || s.Status > 599) {
		err = problem.Usagef("the status %d refuses nothing", s.Status)
	}
	if err != nil {
		return map[string]any{"result": failure, "error": err.Error()}
	}
	c, err := r.guard.Block(ctx, o)
	if err != nil {
		return map[string]any{"result": failure, "error": err.Error()}
	}
	answer := map[string]any{"result": fine}
	if c.Held {
		answer["held"] = true
	}
	return answer
}

func (r *run) unblock(ctx context.Context, s *Step) map[string]any {
	ns, sub, err := r.subject(s)
	if err == nil {
		err = r.guard.Unblock(ctx, ns, sub, r.author(s))
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return map[string]any{"result": none}
	case err != nil:
		return map[string]any{"result": failure, "error": err.Error()}
	}
	return map[string]any{"result": fine}
}

func (r *run) check(s *Step) map[string]any {
	ns, sub, err := r.subject(s)
	if err != nil { // who cannot be named cannot be blocked
		return map[string]any{"blocked": false, "error": err.Error()}
	}
	b, blocked := r.guard.Find(ns, sub)
	if !blocked {
		return map[string]any{"blocked": false}
	}
	answer := map[string]any{"blocked": true, "kind": "permanent", "reason": b.Reason}
	if !b.Permanent() {
		answer["kind"], answer["remaining_s"] = "temp", enforcement.Seconds(b.Remaining(r.now()))
	}
	return answer
}

// fault makes something fail. What this engine does not have is skipped.
func (r *run) fault(ctx context.Context, s *Step) (map[string]any, error) {
	skipped := map[string]any{"skipped": "this engine has no " + s.Target + ", or nothing of it is left"}
	switch s.Target {
	case "redis", "sql", "store":
		return r.outage(ctx, s)
	case "counter":
		_, sub, err := r.subject(s)
		if err == nil {
			err = r.guard.Forget(ctx, sub)
		}
		return map[string]any{}, err
	case "entry", "membership", "cache":
		switch {
		case s.Kind == "corrupt" && r.on.Spoil != nil && !r.away.fault.failing():
			return map[string]any{}, r.on.Spoil(ctx, s.Bytes)
		case s.Kind == "evict" && !r.store.failing() && !r.away.fault.failing():
			return map[string]any{}, errors.Join(r.on.evict(ctx), r.guard.Load(ctx))
		}
		return skipped, nil
	}
	return nil, fmt.Errorf("%q is nothing that fails", s.Target)
}

// outage makes a server fail, or brings it back; all of them, and the stream with them, if it is the store.
func (r *run) outage(ctx context.Context, s *Step) (map[string]any, error) {
	if !slices.Contains([]string{"down", "timeout", "dropped", "restore"}, s.Kind) {
		return nil, fmt.Errorf("%q does not happen to %s", s.Kind, s.Target)
	}
	if s.Target == "redis" && r.on.Copies == nil {
		return map[string]any{"skipped": "this engine has no redis"}, nil
	}
	kind := s.Kind
	if kind == "restore" {
		kind = ""
	}
	if s.Target != "sql" {
		r.away.fault.fail(kind)
	}
	if s.Target != "redis" {
		r.store.fault.fail(kind)
	}
	if s.Target == "store" || kind == "" {
		r.silent.Store(kind != "")
	}
	if kind != "" || r.store.failing() {
		return map[string]any{}, nil
	}
	return map[string]any{}, errors.Join(r.guard.Refresh(ctx), r.guard.Flush(ctx))
}

func (r *run) restart(ctx context.Context, s *Step) map[string]any {
	if !r.store.failing() {
		if err := r.guard.Flush(ctx); err != nil {
			return map[string]any{"result": refused, "error": err.Error()}
		}
	}
	raw := r.raw
	if len(s.Config) > 0 && string(s.Config) != "null" {
		raw = s.Config
	}
	if err := r.boot(ctx, raw); err != nil {
		return map[string]any{"result": refused, "error": err.Error()}
	}
	return map[string]any{"result": fine}
}

// many does a step many times, one after the other or at once.
func (r *run) many(ctx context.Context, s *Step) (map[string]any, error) {
	every := time.Duration(0)
	if s.Every != "" {
		var err error
		if every, err = rulefile.ParseDuration(s.Every); err != nil || every < 0 {
			return nil, fmt.Errorf("every is %q", s.Every)
		}
	}
	if s.N < 1 || len(s.Step) == 0 {
		return nil, errors.New("n and step are needed")
	}
	steps := make([]*Step, s.N)
	for i := range steps {
		raw := strings.ReplaceAll(string(s.Step), "{i}", strconv.Itoa(i))
		if err := json.Unmarshal([]byte(raw), &steps[i]); err != nil {
			return nil, err
		}
	}
	answers, errs := make([]map[string]any, s.N), make([]error, s.N)
	if s.Do == "parallel" {
		var wg sync.WaitGroup
		for i := range steps {
			wg.Go(func() { answers[i], errs[i] = r.step(ctx, steps[i]) })
		}
		wg.Wait()
	} else {
		start := r.now()
		for i := range steps {
			r.advance(start.Add(time.Duration(i) * every).Sub(begin))
			answers[i], errs[i] = r.step(ctx, steps[i])
		}
	}
	verdicts, results := map[string]int{}, map[string]int{}
	answer := map[string]any{"verdicts": verdicts, "results": results}
	for i, a := range answers {
		if v, ok := a["verdict"].(string); ok {
			if verdicts[v]++; v == "deny" && answer["first_deny"] == nil {
				answer["first_deny"] = i
			}
		}
		if v, ok := a["result"].(string); ok {
			results[v]++
		}
	}
	return answer, errors.Join(errs...)
}
