package config

import (
	"slices"

	"gatecamp/schedule"
)

// Setting describes one environment variable.
type Setting struct {
	Name    string
	Default string // as it would be written; empty: unset
	Unset   string // what it means when nothing is set and there is no Default
	Form    string // what a value must look like, to complete "must be"
	Meaning string
	Secret  bool // never shown, and may come from a file named by Name + "_FILE"

	check func(value string) bool // refuses what the type alone would take; nil: the type says it all
}

const (
	yesNo   = "true or false"
	idList  = "Discord ids, digits with commas between them"
	guildID = "a Discord id, digits only"
)

// Settings lists every setting, in the order of the documentation.
func Settings() []Setting { return slices.Clone(settings) }

// settings is the one list of names: it drives reading, help, Show and docs/configuration.md.
var settings = []Setting{
	{
		Name: "GATECAMP_DISCORD_TOKEN", Secret: true, Form: "the bot's token as Discord's developer portal shows it, without blanks and without \"Bot \" before it",
		Unset: "required where Discord is used", Meaning: "The bot's token.", check: isToken,
	},
	{Name: "GATECAMP_GUILD_IDS", Unset: "all the bot is in", Form: idList, Meaning: "The guilds that gatecamp looks after."},
	{Name: "GATECAMP_ADMIN_CHANNEL_ID", Unset: "none", Form: guildID, Meaning: "The channel for progress, summaries and cards."},
	{
		Name: "GATECAMP_WEBHOOK_URL", Secret: true, Unset: "none", Form: webhookForm,
		Meaning: "The webhook that run summaries go to: counts, never people.", check: isWebhook,
	},
	{Name: "GATECAMP_WEBHOOK_DETAILS", Default: "false", Form: yesNo, Meaning: "Whether the webhook's summaries name people.", check: isBool},
	{
		Name: "GATECAMP_AUTH_URL", Secret: true, Unset: "required where Auth is read", Form: authForm,
		Meaning: "Alliance Auth's database, read with a read-only user, or a snapshot file in its place.", check: isAuth,
	},
	{
		Name: "GATECAMP_AUTH_INTERVAL", Default: "60s", Form: "a duration from 1s to 24h, such as 60s", Meaning: "How often Auth is compared with the last read.",
		check: isDuration,
	},
	{
		Name: "GATECAMP_AUTH_NOTIFY_URL", Secret: true, Unset: "none: nothing is ever written to Auth", Form: authNotifyForm, check: isAuthServer,
		Meaning: "Auth's database again, with a user that may INSERT into `notifications_notification` and nothing else: who may see runs is then told behind Auth's bell what needs somebody, " +
			"once a day for each reason.",
	},
	{Name: "GATECAMP_DATA_DIR", Default: "./data", Form: "a folder", Meaning: "The folder of the SQLite file `gatecamp.db` and its lock file."},
	{
		Name: "GATECAMP_DATABASE_URL", Secret: true, Unset: "SQLite in the data folder", Form: databaseForm,
		Meaning: "The Postgres database for gatecamp's own tables.", check: isDatabase,
	},
	{Name: "GATECAMP_REDIS_URL", Secret: true, Unset: "none", Form: redisForm, Meaning: "Redis, for several replicas: the request budget at Discord, copies of blocks, what rules have counted. Nothing is only there.", check: isRedis},
	{Name: "GATECAMP_OPERATORS", Unset: "none", Form: idList, Meaning: "Discord users who may order reports, acknowledge, pause and give rights; enough to begin."},
	{Name: "GATECAMP_TRUST_SUPERUSERS", Default: "true", Form: yesNo, Meaning: "Whether Auth's superusers hold the `gatecamp.*` rights.", check: isBool},
	{
		Name: "GATECAMP_SCHEDULE", Default: schedule.Default, Form: scheduleForm, check: isSchedule,
		Meaning: "When the guild is swept: a cron expression of five fields (UTC unless it begins with `CRON_TZ=`), `@every 6h` (counted from midnight UTC), or `off`; ` jitter=10m` at the end spreads the starts.",
	},
	{Name: "GATECAMP_RUN_DEADLINE", Default: "60m", Form: "a duration from 1s to 24h, such as 60m", Meaning: "How long one run may take.", check: isDuration},
	{
		Name: "GATECAMP_RUNS_PER_USER", Default: "6", Form: "a whole number from 0 to 10000",
		Meaning: "Accepted runs per user in 24 hours; 0 (no limit) only with `GATECAMP_RUNS_UNLIMITED_ACKNOWLEDGED=true`.", check: isWithin(0, 10_000),
	},
	{Name: "GATECAMP_RUNS_UNLIMITED_ACKNOWLEDGED", Default: "false", Form: yesNo, Meaning: "Acknowledges that runs are not limited.", check: isBool},
	{
		Name: "GATECAMP_RETENTION_DAYS", Default: "180", Form: "0, or a whole number from 30 to 36500",
		Meaning: "How many days the record is kept, 30 or more; 0 (for ever) only with `GATECAMP_RETENTION_OPT_OUT_ACKNOWLEDGED=true`.",
		check:   func(v string) bool { return v == "0" || isWithin(30, 36_500)(v) },
	},
	{Name: "GATECAMP_RETENTION_OPT_OUT_ACKNOWLEDGED", Default: "false", Form: yesNo, Meaning: "Acknowledges that the record is kept for ever.", check: isBool},
	{
		Name: "GATECAMP_HTTP_LISTEN", Default: "127.0.0.1:8080", Form: "an address and a port, such as 127.0.0.1:8080",
		Meaning: "Where `/healthz`, `/readyz` and `/metrics` answer.", check: isListen,
	},
	{Name: "GATECAMP_LOG_LEVEL", Default: "info", Form: "debug, info, warn or error", Meaning: "The least level that is logged.", check: isOneOf("debug", "info", "warn", "error")},
	{
		Name: "GATECAMP_LOG_FORMAT", Default: "auto", Form: "auto, text or json", Meaning: "How log lines look: `text`, `json`, or `auto` (text on a terminal, else json).",
	},
	{
		Name: "GATECAMP_DISCORD_API_URL", Unset: "Discord", Form: "an http or https address without user, query or fragment, such as http://127.0.0.1:41000/api",
		Meaning: "Another server in Discord's place; on this machine only, or with `GATECAMP_DISCORD_API_TRUSTED=true`.", check: isAPI,
	},
	{
		Name: "GATECAMP_DISCORD_API_TRUSTED", Default: "false", Form: yesNo,
		Meaning: "Trusts a `GATECAMP_DISCORD_API_URL` on another machine: it is sent the bot's token.", check: isBool,
	},
	{
		Name: "GATECAMP_GUILDS_FILE", Unset: "none", Form: "a YAML file",
		Meaning: "Settings of several guilds, see below; overrides the single settings.",
	},
	{
		Name: "GATECAMP_RULES_FILE", Unset: "the built-in rules, which only observe", Form: "a YAML file",
		Meaning: "How enforcement behaves, who is immune, and rules beside the built-in ones, see below.",
	},
	{
		Name: "GATECAMP_EVENTS", Unset: "nowhere", Form: "a file, or stdout",
		Meaning: "Where the events of enforcement go, one JSON object a line: a file (made anew when it is moved away, and on SIGHUP), or `stdout`. See [events.md](events.md).", check: isEvents,
	},
	{
		Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Unset: "none", Form: otlpForm, check: isAPI,
		Meaning: "A collector that takes the events by OTLP over HTTP (protobuf), at `/v1/logs` below this address. Timeout, compression and certificates follow OpenTelemetry's own variables.",
	},
	{Name: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", Unset: "below the one above", Form: otlpForm, Meaning: "The whole address for logs, where it is another one.", check: isAPI},
	{
		Name: "OTEL_EXPORTER_OTLP_HEADERS", Secret: true, Unset: "none", Form: "NAME=VALUE,NAME=VALUE with special characters percent-encoded",
		Meaning: "What is sent with every request to the collector, such as a key.", check: isHeaders,
	},
	{Name: "OTEL_SERVICE_NAME", Default: "gatecamp", Form: "a name of at most 256 bytes", Meaning: "How events name this program.", check: isServiceName},
}

const otlpForm = "an http or https address without user, query or fragment, such as http://127.0.0.1:4318"

// fileSuffix on the name of a secret names the file that holds it.
const fileSuffix = "_FILE"

func settingNamed(name string) (Setting, bool) {
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return settings[i], true
}

// names lists everything that may stand in the environment, the file forms of secrets included.
func names() []string {
	var all []string
	for _, s := range settings {
		all = append(all, s.Name)
		if s.Secret {
			all = append(all, s.Name+fileSuffix)
		}
	}
	return all
}
