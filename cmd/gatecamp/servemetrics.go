package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/bot"
)

// metrics are what happened since the process began; the rest is read when somebody asks. No label is a person, a secret or a free text.
type metrics struct {
	registry *prometheus.Registry
	runs     *prometheus.CounterVec
	actions  *prometheus.CounterVec
	held     *prometheus.CounterVec
	troubles *prometheus.CounterVec
}

func newMetrics(s *server) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs:     counter("gatecamp_runs_total", "Runs that ended, by kind and state.", "guild", "kind", "state"),
		actions:  counter("gatecamp_actions_total", "Changes that were tried in Discord, by kind and what became of them.", "guild", "kind", "outcome"),
		held:     counter("gatecamp_held_total", "Changes that a gate or a brake held, by which.", "guild", "by"),
		troubles: counter("gatecamp_troubles_total", "What people were told about, by code.", "guild", "code"),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.runs, m.actions, m.held, m.troubles, collector{s},
	)
	return m
}

// handler is the page.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// ran counts a run, or a live look, that came to its end.
func (m *metrics) ran(guild string, r *reconcile.Report) {
	if r == nil {
		return
	}
	if r.Run.ID != 0 {
		m.runs.WithLabelValues(guild, r.Run.Order.Kind, r.Run.State.String()).Inc()
	}
	for _, o := range r.Outcomes {
		m.actions.WithLabelValues(guild, o.Action.Kind.String(), o.Result.String()).Inc()
	}
	for by, n := range r.Plan.HeldCounts() {
		by, _, _ = strings.Cut(by, ":") // a series for each role of a guild would be too many
		m.held.WithLabelValues(guild, by).Add(float64(n))
	}
}

// reading is one figure that is read when somebody asks.
type reading struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
}

// collector reads the figures of the moment.
type collector struct{ s *server }

// Describe satisfies prometheus.Collector: which figures there are depends on what the process does.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect satisfies prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	out := exporter(to)
	v := c.s.view()
	out.gauge("gatecamp_owner", "Whether this process acts.", oneIf(v.Role == roleOwner))
	out.gauge("gatecamp_waiting", "Whether this process waits for its turn.", oneIf(v.Role == roleWaiting))
	out.gauge("gatecamp_ready", "Whether this process has everything it needs for its part.", oneIf(v.Ready))
	c.s.collectEnforcement(out)
	for _, t := range c.s.present() {
		for _, h := range t.all() {
			h.collect(out)
		}
	}
	c.s.ruling.collect(out)
	if client, slash := c.s.connection(); client != nil {
		collectDiscord(out, client.Stats(), slash.Stats().Dropped)
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// exporter takes figures.
type exporter chan<- prometheus.Metric

func (e exporter) put(f reading, value float64, values ...string) {
	e <- prometheus.MustNewConstMetric(prometheus.NewDesc(f.name, f.help, f.labels, nil), f.kind, value, values...)
}

func (e exporter) gauge(name, help string, value float64) {
	e.put(reading{name, help, prometheus.GaugeValue, nil}, value)
}

func (e exporter) counter(name, help string, value float64) {
	e.put(reading{name, help, prometheus.CounterValue, nil}, value)
}

// collect gives the figures of a guild.
func (h *house) collect(out exporter) {
	guild := []string{"guild"}
	id := h.id.String()
	gauge := func(name, help string, value float64) {
		out.put(reading{name, help, prometheus.GaugeValue, guild}, value, id)
	}
	counter := func(name, help string, value uint64) {
		out.put(reading{name, help, prometheus.CounterValue, guild}, float64(value), id)
	}
	by := func(name, help, label string, counts map[string]uint64) {
		for key, n := range counts {
			out.put(reading{name, help, prometheus.CounterValue, []string{"guild", label}}, float64(n), id, key)
		}
	}
	count, stats := h.live.Headcount(), h.keeper.Stats()
	gauge("gatecamp_guild_visible", "Whether the guild is in sight.", oneIf(count.Visible))
	gauge("gatecamp_members", "Members that are known.", float64(count.Members))
	gauge("gatecamp_roster_complete", "Whether every member is known and no event was missed.", oneIf(count.Complete))
	gauge("gatecamp_inbox_members", "Members who wait to be looked at.", float64(stats.Waiting))
	gauge("gatecamp_inbox_in_hand", "Members who are being looked at.", float64(stats.InHand))
	gauge("gatecamp_inbox_ranges", "Roles whose holders wait to be looked at.", float64(stats.Ranges))
	gauge("gatecamp_inbox_oldest_seconds", "How long the member waits who has waited longest.", since(stats.Oldest))
	gauge("gatecamp_waiting_for_auth", "Members who wait until Auth is believed.", float64(stats.ForAuth))
	gauge("gatecamp_runs_waiting", "Runs that wait for their turn.", float64(stats.Queued))
	gauge("gatecamp_run_at_work", "Whether a run is at work.", oneIf(stats.Running != 0))
	by("gatecamp_events_total", "Reasons to look again that came from the gateway, by kind.", "why", stats.Events)
	by("gatecamp_missed_total", "How events that may have been missed were noticed.", "how", stats.Missed)
	counter("gatecamp_inbox_marked_total", "Members taken in.", stats.Marked)
	counter("gatecamp_inbox_merged_total", "Marks that fell on a member who waited already.", stats.Merged)
	counter("gatecamp_inbox_overflows_total", "How often a look at everybody took the place of a full inbox.", stats.Overflows)
	counter("gatecamp_looks_total", "Looks at single members.", stats.Looks)
	counter("gatecamp_looked_at_total", "Members in them.", stats.LookedAt)
	counter("gatecamp_looks_failed_total", "Looks that ended with an error.", stats.Failed)
	counter("gatecamp_catch_ups_total", "Looks at everybody that nobody ordered.", stats.CatchUps)
	counter("gatecamp_gave_up_total", "Members left to the next event or sweep after too many failures.", stats.GaveUp)
	counter("gatecamp_fights_total", "Changes that another writer reversed again and again.", stats.Fights)
	counter("gatecamp_role_changes_total", "Role changes seen by events.", stats.RoleChanges)
	counter("gatecamp_role_changes_unexplained_total", "Role changes without an entry in Discord's audit log.", stats.Unexplained)
	collectTimes(out, id, stats)
	verdict, at := h.t.state.verdict(h.id)
	for _, one := range []audit.Health{audit.Healthy, audit.Doubtful, audit.Blind} {
		out.put(reading{"gatecamp_auth_health", "The verdict on Auth.", prometheus.GaugeValue, []string{"guild", "verdict"}}, oneIf(verdict == one.String()), id, one.String())
	}
	if !at.IsZero() {
		gauge("gatecamp_auth_age_seconds", "How long ago Auth was judged.", since(at))
	}
}

func since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return time.Since(t).Seconds()
}

// collectTimes gives how long members waited from the event to the end of the look.
func collectTimes(out exporter, guild string, stats bot.Stats) {
	times := stats.EventToDone
	cumulative, total := map[float64]uint64{}, uint64(0)
	for i, bound := range times.Buckets {
		total += times.Counts[i]
		cumulative[bound] = total
	}
	desc := prometheus.NewDesc("gatecamp_event_to_done_seconds", "From a member's first event to the end of the look at them.", []string{"guild"}, nil)
	out <- prometheus.MustNewConstHistogram(desc, times.Count, times.Sum, cumulative, guild)
}
