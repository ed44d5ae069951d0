package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gatecamp/internal/secret"
	"gatecamp/schedule"
)

// What the addresses must look like. No check says more than yes or no: url.Parse's errors hold the address with its password.
const (
	authForm = "mysql://USER:PASSWORD@HOST:PORT/NAME, postgres://USER:PASSWORD@HOST:PORT/NAME, sqlite:FILE or snapshot:FILE " +
		"(special characters of a password are written percent-encoded: # is %23, @ is %40, / is %2F)"
	authNotifyForm = "mysql://USER:PASSWORD@HOST:PORT/NAME, postgres://USER:PASSWORD@HOST:PORT/NAME or sqlite:FILE " +
		"(special characters of a password are written percent-encoded: # is %23, @ is %40, / is %2F)"
	databaseForm = "postgres://USER:PASSWORD@HOST:PORT/NAME, or unset for SQLite " +
		"(special characters of a password are written percent-encoded: # is %23, @ is %40, / is %2F)"
	redisForm = "redis://HOST:PORT/0, rediss://HOST:PORT/0 (with TLS) or unix:///PATH"
	// The scheduler's grammar in short.
	scheduleForm = `a cron expression such as "0 4 * * *" or "CRON_TZ=Europe/Berlin 0 5 * * 1-5", "@every 6h" (after either, if you like, jitter=10m), or off`
	webhookForm  = "https://discord.com/api/webhooks/ID/TOKEN, as Discord's channel settings show it"
)

func isToken(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

func isBool(v string) bool { return v == "true" || v == "false" }

func isOneOf(allowed ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(allowed, v) }
}

func isWithin(low, high int) func(string) bool {
	return func(v string) bool {
		n, err := strconv.Atoi(v)
		return err == nil && low <= n && n <= high
	}
}

func isDuration(v string) bool {
	d, err := time.ParseDuration(v)
	return err == nil && time.Second <= d && d <= 24*time.Hour
}

func isSchedule(v string) bool {
	_, _, err := schedule.ParseSpec(v, time.Now())
	return err == nil
}

func isListen(v string) bool {
	at := strings.LastIndexByte(v, ':')
	if at < 0 || !isWithin(0, 65535)(v[at+1:]) {
		return false
	}
	host := v[:at]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host, ok = strings.CutSuffix(inner, "]")
		return ok && strings.Contains(host, ":")
	}
	return !strings.ContainsAny(host, ":/@ ")
}

func isAuth(v string) bool {
	if file, ok := strings.CutPrefix(v, "sqlite:"); ok {
		return file != "" && !strings.HasPrefix(file, "//")
	}
	if file, ok := strings.CutPrefix(v, "snapshot:"); ok {
		return file != "" && !strings.HasPrefix(file, "//")
	}
	return isServer(v, "mysql", "postgres", "postgresql")
}

// isAuthServer accepts what can be written to: a snapshot cannot.
func isAuthServer(v string) bool { return isAuth(v) && !strings.HasPrefix(v, "snapshot:") }

func isDatabase(v string) bool { return isServer(v, "postgres", "postgresql") }

func isRedis(v string) bool {
	u, err := url.Parse(v)
	if err == nil && u.Scheme == "unix" {
		return u.Path != ""
	}
	return err == nil && (u.Scheme == "redis" || u.Scheme == "rediss") && u.Hostname() != ""
}

// isServer accepts the address of a database on a server: a known scheme, a database's name, and a host, or a socket's
// path in the query as Postgres takes it.
func isServer(v string, schemes ...string) bool {
	u, err := url.Parse(v)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Fragment != "" || strings.Trim(u.Path, "/") == "" {
		return false
	}
	return u.Host != "" || u.Query().Get("host") != ""
}

var webhookPath = regexp.MustCompile(`^/api(/v\d+)?/webhooks/\d+/[A-Za-z0-9_-]+$`)

// isWebhook looks at the form alone; whether the host may be trusted depends on another setting (see mayPost).
func isWebhook(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" &&
		!strings.Contains(v, "#") && webhookPath.MatchString(u.EscapedPath())
}

// mayPost reports whether a webhook of good form aims at Discord, or at the server that stands in its place.
func mayPost(webhook, api string) bool {
	u, err := url.Parse(webhook)
	if err != nil {
		return false
	}
	if api != "" {
		a, err := url.Parse(api)
		return err == nil && strings.EqualFold(u.Host, a.Host) && u.Scheme == a.Scheme
	}
	return u.Scheme == "https" && slices.Contains([]string{"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"}, strings.ToLower(u.Host))
}

func isAPI(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// isLoopback reports whether the address leads to this machine, judged without asking a name server.
func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Unmap().IsLoopback()
}

// isEvents refuses what is a slip of the pen: no file is called "STDOUT" or "-".
func isEvents(v string) bool {
	return v == "stdout" || (v != "-" && !strings.EqualFold(v, "stdout") && !strings.EqualFold(v, "stderr") && !strings.HasSuffix(v, "/"))
}

func isServiceName(v string) bool { return len(v) <= 256 && strings.TrimSpace(v) == v }

func isHeaders(v string) bool {
	_, ok := parseHeaders(v)
	return ok
}

// parseHeaders reads headers as OpenTelemetry writes them into one variable.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
func parseHeaders(v string) (map[string]secret.String, bool) {
	all := map[string]secret.String{}
	for pair := range strings.SplitSeq(v, ",") {
		name, value, both := strings.Cut(pair, "=")
		name, err := url.PathUnescape(strings.TrimSpace(name))
		value, wrong := url.PathUnescape(strings.TrimSpace(value))
		if !both || err != nil || wrong != nil || name == "" || strings.ContainsFunc(name+value, unicode.IsControl) || strings.ContainsAny(name, " :") {
			return nil, false
		}
		all[name] = secret.New(value)
	}
	return all, true
}

// OTLP is where logs go by OTLP, with the headers; an empty address: nowhere.
func (c *Config) OTLP() (address string, headers map[string]secret.String) {
	address = c.OTLPLogs
	if address == "" && c.OTLPEndpoint != "" {
		address = strings.TrimSuffix(c.OTLPEndpoint, "/") + "/v1/logs"
	}
	if c.OTLPHeaders.IsSet() {
		headers, _ = parseHeaders(c.OTLPHeaders.Reveal()) // checked when it was read
	}
	return address, headers
}
