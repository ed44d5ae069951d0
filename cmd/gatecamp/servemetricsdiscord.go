package main

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"gatecamp/discord"
)

// collectDiscord gives the figures of the connection to Discord.
func collectDiscord(out exporter, s discord.Stats, dropped int64) {
	counted := func(name, help string, value float64, label, of string) {
		out.put(reading{name, help, prometheus.CounterValue, []string{label}}, value, of)
	}
	for id, shard := range s.Shards {
		of := strconv.Itoa(id)
		out.put(reading{"gatecamp_gateway_open", "Whether the shard's connection is open.", prometheus.GaugeValue, []string{"shard"}}, oneIf(shard.Open), of)
		out.put(reading{"gatecamp_gateway_latency_seconds", "Of the last heartbeat.", prometheus.GaugeValue, []string{"shard"}}, shard.Latency.Seconds(), of)
		out.put(reading{"gatecamp_gateway_longest_event_seconds", "For which an event kept the reader, at most.", prometheus.GaugeValue, []string{"shard"}}, shard.Longest.Seconds(), of)
		counted("gatecamp_gateway_late_events_total", "Events that kept the reader for more than 10 ms.", float64(shard.Late), "shard", of)
		counted("gatecamp_gateway_holes_total", "Events whose number never came.", float64(shard.Lost), "shard", of)
		counted("gatecamp_gateway_sessions_total", "New sessions.", float64(shard.Sessions), "shard", of)
		counted("gatecamp_gateway_resumes_total", "Sessions that were resumed.", float64(shard.Resumes), "shard", of)
		counted("gatecamp_gateway_cuts_total", "Connections after the first.", float64(shard.Cuts), "shard", of)
		for kind, n := range shard.Events {
			out.put(reading{"gatecamp_gateway_events_total", "Events, by type.", prometheus.CounterValue, []string{"shard", "type"}}, float64(n), of, kind)
		}
	}
	if s.IdentifiesLeft >= 0 {
		out.gauge("gatecamp_gateway_identifies_left", "New sessions that Discord still allows today.", float64(s.IdentifiesLeft))
	}
	for answer, n := range s.Requests.Answers {
		method, route, _ := strings.Cut(answer.Route, " ")
		out.put(reading{"gatecamp_rest_requests_total", "REST requests, by route and status; 0: no answer.", prometheus.CounterValue, []string{"method", "route", "status"}},
			float64(n), method, route, strconv.Itoa(answer.Status))
	}
	for scope, n := range s.Requests.TooMany {
		counted("gatecamp_rest_429_total", "Answers of 429, by scope.", float64(n), "scope", scope)
	}
	out.gauge("gatecamp_rest_invalid_requests", "Answers of 401, 403 and 429 in the last ten minutes; at 10,000 Discord bans the address.", float64(s.Requests.Invalid))
	out.gauge("gatecamp_rest_buckets", "Rate-limit buckets that are known.", float64(s.Requests.Buckets))
	plain := reading{"gatecamp_rest_waits_total", "Requests that waited for their turn.", prometheus.CounterValue, nil}
	out.put(plain, float64(s.Requests.Waits))
	plain.name, plain.help = "gatecamp_rest_wait_seconds_total", "How long they waited, together."
	out.put(plain, s.Requests.Waited.Seconds())
	plain.name, plain.help = "gatecamp_interactions_dropped_total", "Interactions that there was no room for."
	out.put(plain, float64(dropped))
}
