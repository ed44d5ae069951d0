// Package telemetry tells the outside what enforcement does: as JSON lines in the shape of OpenTelemetry's log records, to a file or
// to standard output, and by OTLP to a collector.
//
// What must stay true: whoever tells never waits. What there is no room for is counted and said; what a reader could misuse is
// scrubbed before it leaves; and an outlet that fails never holds up another.
package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"sync"
	"time"

	"gatecamp/enforcement"
)

// Stdout in Config.Events is standard output in place of a file.
const Stdout = "stdout"

// Config says where events go. Its zero value sends them nowhere.
type Config struct {
	Events string    // a file, Stdout, or empty
	Stdout io.Writer // what Stdout means
	OTLP   OTLP

	Service string // service.name; empty: gatecamp
	Version string // of the program; may be empty

	Queue int              // events that wait for an outlet at most; 0: 2,048
	Pause time.Duration    // between tries when an outlet fails; 0: 1 s
	Flush time.Duration    // for what is left at the end; 0: 5 s
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: silent
}

const (
	service      = "gatecamp"
	scopeName    = "gatecamp/enforcement"
	usualQueue   = 2048
	mostAtOnce   = 256 // events that are written together
	usualPause   = time.Second
	usualFlush   = 5 * time.Second
	mostRules    = 1_000 // rules that are counted apart
	otherRules   = "(others)"
	longestName  = 256
	sayDropsOnce = time.Minute
)

// Sink takes events and tells them. Emit, Reopen, Stats and Counts may be called at any time by anybody, also on nil.
type Sink struct {
	cfg     Config
	outlets []*outlet

	mu     sync.Mutex
	counts map[Counted]uint64
	rules  map[string]bool
}

// Counted is what events are counted by.
type Counted struct {
	Type enforcement.EventType
	Rule string
}

// New opens the outlets. A file that cannot be opened and an address that is none are errors: nobody finds out later that the record
// of a night is empty.
func New(ctx context.Context, cfg Config) (_ *Sink, err error) {
	if cfg.Service == "" {
		cfg.Service = service
	}
	cfg.Service = cut(cfg.Service)
	if cfg.Queue <= 0 {
		cfg.Queue = usualQueue
	}
	if cfg.Pause <= 0 {
		cfg.Pause = usualPause
	}
	if cfg.Flush <= 0 {
		cfg.Flush = usualFlush
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sink{cfg: cfg, counts: map[Counted]uint64{}, rules: map[string]bool{}}
	enc := encoder{cfg.Service, cfg.Version}
	switch cfg.Events {
	case "":
	case Stdout:
		s.add("stdout", &stream{encoder: enc, to: cfg.Stdout})
	default:
		f, err := openFile(enc, cfg.Events)
		if err != nil {
			return nil, err
		}
		s.add("file", f)
	}
	if cfg.OTLP.Endpoint != "" {
		o, err := openOTLP(ctx, &cfg)
		if err != nil {
			return nil, errors.Join(err, s.close(ctx))
		}
		s.add("otlp", o)
	}
	return s, nil
}

func cut(name string) string {
	if len(name) > longestName {
		return name[:longestName]
	}
	return name
}

func (s *Sink) add(name string, w writer) {
	s.outlets = append(s.outlets, &outlet{name: name, to: w, cfg: &s.cfg, queue: make(chan Told, s.cfg.Queue), wake: make(chan struct{}, 1)})
}

func (s *Sink) close(ctx context.Context) (err error) {
	for _, o := range s.outlets {
		err = errors.Join(err, o.to.close(ctx))
	}
	return err
}

// Told is an event and when it was told.
type Told struct {
	enforcement.Event
	Observed time.Time
}

// Emit takes an event; it never waits. Where there is no room the event is dropped, counted, and its loss is told.
func (s *Sink) Emit(e enforcement.Event) {
	if s == nil {
		return
	}
	s.count(&e)
	told := Told{e, s.cfg.Now()}
	for _, o := range s.outlets {
		select {
		case o.queue <- told:
		default:
			o.dropped.Add(1)
		}
	}
}

// count counts an event, and those that it stands for.
func (s *Sink) count(e *enforcement.Event) {
	n := uint64(max(e.Suppressed, 0))
	if !e.Summary {
		n++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rule := e.Rule
	if !s.rules[rule] {
		if len(s.rules) >= mostRules {
			rule = otherRules
		} else {
			s.rules[rule] = true
		}
	}
	s.counts[Counted{e.Type, rule}] += n
}

// Counts are how many events there were, those that were only counted included.
func (s *Sink) Counts() map[Counted]uint64 {
	all := map[Counted]uint64{}
	if s == nil {
		return all
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(all, s.counts)
	return all
}

// Stats are figures of one outlet.
type Stats struct {
	Written uint64 // events
	Dropped uint64 // events that there was no room for, or that were given up
	Failed  uint64 // tries that failed
	Waiting int    // events
	Broken  bool   // the last try failed
}

// Stats are the figures of the moment, by outlet: file, stdout, otlp.
func (s *Sink) Stats() map[string]Stats {
	all := map[string]Stats{}
	if s == nil {
		return all
	}
	for _, o := range s.outlets {
		all[o.name] = Stats{o.written.Load(), o.dropped.Load(), o.failed.Load(), len(o.queue), o.broken.Load()}
	}
	return all
}

// Reopen opens the file anew, for whoever moved it away.
func (s *Sink) Reopen() {
	if s == nil {
		return
	}
	for _, o := range s.outlets {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// Run tells until the context ends, then what is left, and closes the outlets. It is called once.
func (s *Sink) Run(ctx context.Context) (err error) {
	if s == nil {
		return nil
	}
	ended := make(chan error, len(s.outlets))
	for _, o := range s.outlets {
		go func() { ended <- o.run(ctx) }()
	}
	<-ctx.Done()
	late := time.NewTimer(2 * s.cfg.Flush)
	defer late.Stop()
	for range s.outlets {
		select {
		case one := <-ended:
			err = errors.Join(err, one)
		case <-late.C:
			return errors.Join(err, errors.New("an outlet of events hangs; what it had not told is lost"))
		}
	}
	return err
}
