// Package config reads the settings of gatecamp from the environment, a .env file and files that hold secrets.
//
// What must stay true: whatever is wrong is said all at once, each with its cure; and no secret ever leaves through an
// error, Show, a log line or a print.
package config

import (
	"log/slog"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/internal/secret"
)

// Config is every setting, typed and checked. Get one from Load; what each means is in Settings.
type Config struct {
	DiscordToken   secret.String `env:"GATECAMP_DISCORD_TOKEN"`
	GuildIDs       IDs           `env:"GATECAMP_GUILD_IDS"` // empty: every guild the bot is in
	AdminChannelID ID            `env:"GATECAMP_ADMIN_CHANNEL_ID"`
	WebhookURL     secret.String `env:"GATECAMP_WEBHOOK_URL"`
	WebhookDetails bool          `env:"GATECAMP_WEBHOOK_DETAILS"`

	AuthURL      secret.String `env:"GATECAMP_AUTH_URL"`
	AuthInterval time.Duration `env:"GATECAMP_AUTH_INTERVAL"`
	AuthNotify   secret.String `env:"GATECAMP_AUTH_NOTIFY_URL"` // unset: nothing is ever written to Auth

	DataDir     string        `env:"GATECAMP_DATA_DIR"`
	DatabaseURL secret.String `env:"GATECAMP_DATABASE_URL"` // unset: SQLite in DataDir
	RedisURL    secret.String `env:"GATECAMP_REDIS_URL"`

	Operators       IDs  `env:"GATECAMP_OPERATORS"`
	TrustSuperusers bool `env:"GATECAMP_TRUST_SUPERUSERS"`

	Schedule          string        `env:"GATECAMP_SCHEDULE"` // as schedule.ParseSpec takes it
	RunDeadline       time.Duration `env:"GATECAMP_RUN_DEADLINE"`
	RunsPerUser       int           `env:"GATECAMP_RUNS_PER_USER"` // in 24 h; 0: no limit, and RunsUnlimited is true
	RunsUnlimited     bool          `env:"GATECAMP_RUNS_UNLIMITED_ACKNOWLEDGED"`
	RetentionDays     int           `env:"GATECAMP_RETENTION_DAYS"` // 0: for ever, and RetentionOptOut is true
	RetentionOptOut   bool          `env:"GATECAMP_RETENTION_OPT_OUT_ACKNOWLEDGED"`
	HTTPListen        string        `env:"GATECAMP_HTTP_LISTEN"`
	LogLevel          slog.Level    `env:"GATECAMP_LOG_LEVEL"`
	LogFormat         LogFormat     `env:"GATECAMP_LOG_FORMAT"`
	DiscordAPIURL     string        `env:"GATECAMP_DISCORD_API_URL"` // empty: Discord itself
	DiscordAPITrusted bool          `env:"GATECAMP_DISCORD_API_TRUSTED"`
	GuildsFile        string        `env:"GATECAMP_GUILDS_FILE"`
	Guilds            []Guild       // of GuildsFile, in its order; empty without one
	RulesFile         string        `env:"GATECAMP_RULES_FILE"`

	Events       string        `env:"GATECAMP_EVENTS"` // a file, or "stdout"; empty: nowhere
	OTLPEndpoint string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPLogs     string        `env:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"`
	OTLPHeaders  secret.String `env:"OTEL_EXPORTER_OTLP_HEADERS"`
	ServiceName  string        `env:"OTEL_SERVICE_NAME"`

	sources map[string]Source
	rules   *enforcement.Config // of RulesFile, as it was when it was read; nil without one
	texts   map[string]string   // how each value was written, secrets left out
	exposed []string            // files with secrets that everybody may read
}

// Guild is what one guild has of its own.
type Guild struct {
	ID             snowflake.ID
	AdminChannelID snowflake.ID     // zero: none
	WebhookURL     secret.String    // unset: none
	Schedule       string           // as schedule.ParseSpec takes it
	Locale         string           // a language tag such as "de"; empty: the guild's own
	Enforcement    enforcement.Mode // whether who is blocked is denied here
	Appeal         string           // whom somebody who is blocked can ask, in words for them; empty: a general sentence
}

// Guild gives the settings of one guild: its entry in the guilds file; else, without such a file, the single settings; else
// only the schedule.
func (c *Config) Guild(id snowflake.ID) Guild {
	for _, g := range c.Guilds {
		if g.ID == id {
			return g
		}
	}
	if len(c.Guilds) > 0 {
		return Guild{ID: id, Schedule: c.Schedule}
	}
	return Guild{ID: id, AdminChannelID: snowflake.ID(c.AdminChannelID), WebhookURL: c.WebhookURL, Schedule: c.Schedule}
}

// Enforcement is what the rules file says, as it was when it was read; nil without such a file.
func (c *Config) Enforcement() *enforcement.Config { return c.rules }

// Source says where a value came from: "default", "environment", ".env, line 3", "file /run/secrets/token".
type Source string

// Default is the Source of a setting that nobody set.
const Default Source = "default"

// Origin is where the value of the named setting came from.
func (c *Config) Origin(name string) Source {
	if s, ok := c.sources[name]; ok {
		return s
	}
	return Default
}
