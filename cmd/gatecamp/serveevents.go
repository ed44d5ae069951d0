package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"gatecamp/config"
	"gatecamp/enforcement"
	"gatecamp/internal/problem"
	"gatecamp/telemetry"
)

// openSink opens the outlets of events that the settings name, and tells until done is called: then what is left is told first.
func (c *console) openSink(ctx context.Context, cfg *config.Config, log *slog.Logger) (sink *telemetry.Sink, done func() error, err error) {
	address, headers := cfg.OTLP()
	for _, name := range []string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		protocol, set := c.env.Lookup(name)
		if address != "" && set && protocol != "" && protocol != "http/protobuf" {
			return nil, nil, problem.New(problem.Usage, name+" asks for another protocol than http/protobuf, the only one that gatecamp speaks to collectors",
				"set OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf and OTEL_EXPORTER_OTLP_LOGS_ENDPOINT to where the collector takes it, usually port 4318")
		}
		if protocol != "" {
			break
		}
	}
	sink, err = telemetry.New(ctx, telemetry.Config{
		Events: cfg.Events, Stdout: c.out, OTLP: telemetry.OTLP{Endpoint: address, Headers: headers}, Service: cfg.ServiceName, Version: version(), Now: c.now, Log: log,
	})
	if err != nil {
		return nil, nil, err
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- sink.Run(work) }()
	return sink, func() error {
		stop()
		return <-ended
	}, nil
}

// ownEvents tells what a console's own guard does. What it prints is its answer, so that events never go there; and whoever may block
// but not write the file blocks all the same, with a warning.
func (s *session) ownEvents(ctx context.Context) (tell func(enforcement.Event), done func()) {
	cfg := s.cfg
	if cfg.Events == telemetry.Stdout {
		cfg.Events = ""
	}
	sink, end, err := s.openSink(ctx, &cfg, newLog(s.err, cfg.LogFormat, cfg.LogLevel))
	if err != nil {
		s.warn("what is done here is not told as an event: %s", describe(err))
		return nil, func() {}
	}
	return sink.Emit, func() {
		if err := end(); err != nil {
			s.warn("not every event could be told: %s", describe(err))
		}
	}
}

// version is that of the program, as far as it was built from one.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return ""
}

// openEvents has the guard's events told, until the process ends; SIGHUP opens the file anew.
func (s *server) openEvents(ctx context.Context) (err error) {
	sink, done, err := s.openSink(ctx, &s.cfg, s.log)
	if err != nil {
		return err
	}
	hang := make(chan os.Signal, 1)
	signal.Notify(hang, syscall.SIGHUP)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-hang:
				sink.Reopen()
			case <-ended:
				return
			}
		}
	}()
	s.events = sink
	s.listeners = append(s.listeners, sink.Emit)
	s.closers = append(s.closers, func() error {
		signal.Stop(hang)
		close(ended)
		if err := done(); err != nil {
			s.log.ErrorContext(context.WithoutCancel(ctx), "not every event could be told", "error", err)
		}
		return nil
	})
	return nil
}

// collectEnforcement gives the figures of the guard and of its events.
func (s *server) collectEnforcement(out exporter) {
	counted := func(name, help string, labels []string, n uint64, values ...string) {
		out.put(reading{name, help, prometheus.CounterValue, labels}, float64(n), values...)
	}
	for of, n := range s.events.Counts() {
		counted("gatecamp_enforcement_events_total", "Events of enforcement, by type and rule; those that were only counted included.", []string{"type", "rule"}, n, of.Type.String(), of.Rule)
	}
	outlet := []string{"outlet"}
	for name, st := range s.events.Stats() {
		counted("gatecamp_enforcement_events_written_total", "Events that an outlet took.", outlet, st.Written, name)
		counted("gatecamp_enforcement_events_dropped_total", "Events that were lost: there was no room for them, or an outlet failed for too long.", outlet, st.Dropped, name)
		counted("gatecamp_enforcement_outlet_failures_total", "Tries of an outlet that failed.", outlet, st.Failed, name)
		out.put(reading{"gatecamp_enforcement_events_waiting", "Events that wait for an outlet.", prometheus.GaugeValue, outlet}, float64(st.Waiting), name)
		out.put(reading{"gatecamp_enforcement_outlet_broken", "Whether the last try of an outlet failed.", prometheus.GaugeValue, outlet}, oneIf(st.Broken), name)
	}
	if s.guard == nil {
		return
	}
	g := s.guard.Stats()
	counted("gatecamp_enforcement_checks_total", "Attempts that were looked at.", nil, g.Checks)
	counted("gatecamp_enforcement_denied_total", "Attempts that were denied.", nil, g.Denied)
	counted("gatecamp_enforcement_check_failures_total", "Checks that could not be carried out in full.", nil, g.Failed)
	out.gauge("gatecamp_enforcement_held_blocks", "Blocks that are held in this process until the database is back.", float64(g.Held))
	out.gauge("gatecamp_enforcement_blocks_loaded", "Whether every block is known to this process.", oneIf(g.Loaded))
	out.gauge("gatecamp_enforcement_stream_silent", "Whether nothing is heard of other processes' blocks.", oneIf(g.Silent))
}
