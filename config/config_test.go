package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/config"
	"gatecamp/internal/problem"
)

const (
	canary  = "canary-5b1e-do-not-print"
	webhook = "https://discord.com/api/webhooks/900000000000000077/" + canary
)

// world is an environment in memory.
type world struct{ env, files map[string]string }

func (w world) environment() config.Environment {
	return config.Environment{
		Lookup: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
		Names:  slices.Collect(maps.Keys(w.env)),
		ReadFile: func(name string) ([]byte, error) {
			if text, ok := w.files[name]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	}
}

func (w world) load(t *testing.T, needs ...config.Need) (config.Config, error) {
	t.Helper()
	c, err := config.Load(t.Context(), w.environment(), needs...)
	if err != nil && problem.KindOf(err) != problem.Usage {
		t.Errorf("kind = %v, want usage: %v", problem.KindOf(err), err)
	}
	return c, err
}

func env(pairs ...string) world {
	w := world{env: map[string]string{}, files: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		w.env[pairs[i]] = pairs[i+1]
	}
	return w
}

func TestWithNothingSetEveryDefaultHolds(t *testing.T) {
	c, err := env().load(t)
	if err != nil {
		t.Fatal(err)
	}
	type defaults struct {
		AuthInterval, RunDeadline     time.Duration
		DataDir, Schedule, HTTP       string
		RunsPerUser, RetentionDays    int
		TrustSuperusers, Details      bool
		Level                         slog.Level
		Format                        config.LogFormat
		SecretsSet, Guilds, Operators int
	}
	got := defaults{
		c.AuthInterval, c.RunDeadline, c.DataDir, c.Schedule, c.HTTPListen, c.RunsPerUser, c.RetentionDays, c.TrustSuperusers, c.WebhookDetails,
		c.LogLevel, c.LogFormat, 0, len(c.GuildIDs) + len(c.Guilds), len(c.Operators),
	}
	for _, set := range []bool{c.DiscordToken.IsSet(), c.WebhookURL.IsSet(), c.AuthURL.IsSet(), c.DatabaseURL.IsSet(), c.RedisURL.IsSet()} {
		if set {
			got.SecretsSet++
		}
	}
	want := defaults{
		AuthInterval: time.Minute, RunDeadline: time.Hour, DataDir: "./data", Schedule: "@every 6h", HTTP: "127.0.0.1:8080",
		RunsPerUser: 6, RetentionDays: 180, TrustSuperusers: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults differ (-want +got):\n%s", diff)
	}
}

func TestEveryValueReachesItsField(t *testing.T) {
	w := env(
		"GATECAMP_DISCORD_TOKEN", canary, "GATECAMP_GUILD_IDS", "900000000000000001, 9223372036854775807,900000000000000001", "GATECAMP_ADMIN_CHANNEL_ID", "7",
		"GATECAMP_WEBHOOK_URL", webhook, "GATECAMP_WEBHOOK_DETAILS", "true", "GATECAMP_AUTH_URL", "mysql://aa:"+canary+"@db:3306/aa_auth",
		"GATECAMP_AUTH_INTERVAL", "90s", "GATECAMP_DATA_DIR", "/var/lib/gatecamp", "GATECAMP_DATABASE_URL", "postgres://g:"+canary+"@db/gatecamp?sslmode=disable",
		"GATECAMP_REDIS_URL", "redis://:"+canary+"@redis:6379/0", "GATECAMP_OPERATORS", "11,12", "GATECAMP_TRUST_SUPERUSERS", "false",
		"GATECAMP_SCHEDULE", "off", "GATECAMP_RUN_DEADLINE", "2h", "GATECAMP_RUNS_PER_USER", "0", "GATECAMP_RUNS_UNLIMITED_ACKNOWLEDGED", "true",
		"GATECAMP_RETENTION_DAYS", "0", "GATECAMP_RETENTION_OPT_OUT_ACKNOWLEDGED", "true", "GATECAMP_HTTP_LISTEN", ":9090",
		"GATECAMP_LOG_LEVEL", "warn", "GATECAMP_LOG_FORMAT", "json",
	)
	c, err := w.load(t, config.NeedsAuth, config.NeedsDiscord)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(c.DiscordToken.Reveal() == canary, c.GuildIDs, c.AdminChannelID, c.WebhookURL.Reveal() == webhook, c.WebhookDetails,
		strings.HasPrefix(c.AuthURL.Reveal(), "mysql://aa:"), c.AuthInterval, c.DataDir, c.DatabaseURL.IsSet(), c.RedisURL.IsSet(), c.Operators, c.TrustSuperusers,
		c.Schedule, c.RunDeadline, c.RunsPerUser, c.RunsUnlimited, c.RetentionDays, c.RetentionOptOut, c.HTTPListen, c.LogLevel, c.LogFormat)
	want := "true [900000000000000001 9223372036854775807] 7 true true true 1m30s /var/lib/gatecamp true true [11 12] false " +
		"off 2h0m0s 0 true 0 true :9090 WARN json\n"
	if got != want {
		t.Errorf("config =\n%s, want\n%s", got, want)
	}
}

func TestEverySettingHasItsFieldAndEveryFieldItsSetting(t *testing.T) {
	var fields, settings []string
	for f := range reflect.TypeFor[config.Config]().Fields() {
		if name := f.Tag.Get("env"); name != "" {
			fields = append(fields, name)
		}
	}
	for _, s := range config.Settings() {
		settings = append(settings, s.Name)
		if s.Meaning == "" || s.Form == "" {
			t.Errorf("%s lacks its meaning or its form", s.Name)
		}
	}
	slices.Sort(fields)
	slices.Sort(settings)
	if diff := cmp.Diff(settings, fields); diff != "" {
		t.Errorf("the table of settings and the fields of Config differ (-settings +fields):\n%s", diff)
	}
}

func TestEverythingWrongIsSaidAtOnceEachWithItsCure(t *testing.T) {
	w := env("GATECAMP_AUTH_INTERVAL", "soon", "GATECAMP_GUILD_IDS", "1,x", "GATECAMP_RUNS_PER_USER", "-1", "GATECAMP_OPERATOR", "1",
		"GATECAMP_AUTH_URL", "oracle://u:"+canary+"@db/x")
	w.files[".env"] = "GATECAMP_LOG_LEVEL=loud\nnonsense\n"
	_, err := w.load(t, config.NeedsAuth, config.NeedsDiscord)
	if err == nil {
		t.Fatal("no error")
	}
	want := `.env, line 2: there is no = in the line; write NAME=value, or # before a comment
GATECAMP_OPERATOR is no setting of gatecamp (environment); did you mean GATECAMP_OPERATORS? Otherwise remove it
GATECAMP_GUILD_IDS must be Discord ids, digits with commas between them; it is "1,x"; change it where it is set (environment)
GATECAMP_AUTH_URL must be mysql://USER:PASSWORD@HOST:PORT/NAME, postgres://USER:PASSWORD@HOST:PORT/NAME, sqlite:FILE or snapshot:FILE (special characters of a password are written percent-encoded: # is %23, @ is %40, / is %2F); change it where it is set (environment)
GATECAMP_AUTH_INTERVAL must be a duration from 1s to 24h, such as 60s; it is "soon"; change it where it is set (environment)
GATECAMP_RUNS_PER_USER must be a whole number from 0 to 10000; it is "-1"; change it where it is set (environment)
GATECAMP_LOG_LEVEL must be debug, info, warn or error; it is "loud"; change it where it is set (.env, line 1)
GATECAMP_DISCORD_TOKEN is not set, and this command needs it; set it, or GATECAMP_DISCORD_TOKEN_FILE to a file that holds it, to the bot's token as Discord's developer portal shows it, without blanks and without "Bot " before it`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("errors differ (-want +got):\n%s", diff)
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"GATECAMP_DISCORD_TOKEN", "Bot " + canary},
		{"GATECAMP_DISCORD_TOKEN", canary + "\n" + canary},
		{"GATECAMP_ADMIN_CHANNEL_ID", "0"},
		{"GATECAMP_ADMIN_CHANNEL_ID", "9223372036854775808"},
		{"GATECAMP_ADMIN_CHANNEL_ID", "1e17"},
		{"GATECAMP_ADMIN_CHANNEL_ID", "１２"},
		{"GATECAMP_ADMIN_CHANNEL_ID", "-5"},
		{"GATECAMP_GUILD_IDS", "1,,2"},
		{"GATECAMP_OPERATORS", "@someone"},
		{"GATECAMP_WEBHOOK_URL", "http://discord.com/api/webhooks/1/" + canary},
		{"GATECAMP_WEBHOOK_URL", "https://evil.example/api/webhooks/1/" + canary},
		{"GATECAMP_WEBHOOK_URL", "https://discord.com.evil.example/api/webhooks/1/" + canary},
		{"GATECAMP_WEBHOOK_URL", "https://discord.com@evil.example/api/webhooks/1/" + canary},
		{"GATECAMP_WEBHOOK_URL", "https://discord.com/api/webhooks/1/" + canary + "?wait=true"},
		{"GATECAMP_WEBHOOK_URL", "https://discord.com/api/webhooks/1"},
		{"GATECAMP_WEBHOOK_URL", "https://discord.com/api/webhooks/1/../../users"},
		{"GATECAMP_WEBHOOK_DETAILS", "maybe"},
		{"GATECAMP_AUTH_URL", canary},
		{"GATECAMP_AUTH_URL", "mysql://u:" + canary + "@/db"},
		{"GATECAMP_AUTH_URL", "mysql://u:p#" + canary + "@host/db"},
		{"GATECAMP_AUTH_URL", "mysql://u:%zz" + canary + "@host/db"},
		{"GATECAMP_AUTH_URL", "mysql://u:" + canary + "@host"},
		{"GATECAMP_AUTH_URL", "sqlite:"},
		{"GATECAMP_AUTH_URL", "sqlite://" + canary},
		{"GATECAMP_AUTH_URL", "snapshot:"},
		{"GATECAMP_DATABASE_URL", "mysql://u:" + canary + "@host/db"},
		{"GATECAMP_DATABASE_URL", "sqlite:file"},
		{"GATECAMP_REDIS_URL", "http://:" + canary + "@host"},
		{"GATECAMP_AUTH_INTERVAL", "60"},
		{"GATECAMP_AUTH_INTERVAL", "10ms"},
		{"GATECAMP_RUN_DEADLINE", "-1h"},
		{"GATECAMP_RUN_DEADLINE", "48h"},
		{"GATECAMP_RUNS_PER_USER", "6.5"},
		{"GATECAMP_RUNS_PER_USER", "0"},
		{"GATECAMP_RETENTION_DAYS", "29"},
		{"GATECAMP_RETENTION_DAYS", "0"},
		{"GATECAMP_HTTP_LISTEN", "8080"},
		{"GATECAMP_HTTP_LISTEN", "127.0.0.1:http"},
		{"GATECAMP_HTTP_LISTEN", "127.0.0.1:65536"},
		{"GATECAMP_HTTP_LISTEN", "::1:80"},
		{"GATECAMP_LOG_LEVEL", "info+2"},
		{"GATECAMP_LOG_FORMAT", "xml"},
		{"GATECAMP_DISCORD_API_URL", "https://discord.example/api"},
		{"GATECAMP_DISCORD_API_URL", "http://127.0.0.1.example/api"},
		{"GATECAMP_DISCORD_API_URL", "http://u:" + canary + "@127.0.0.1/api"},
		{"GATECAMP_DISCORD_API_URL", "127.0.0.1:41000"},
		{"GATECAMP_GUILDS_FILE", "missing.yaml"},
		{"GATECAMP_DATA_DIR", "a\x00b"},
		{"GATECAMP_EVENTS", "Stdout"},
		{"GATECAMP_EVENTS", "/var/log/"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"},
		{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "grpc://127.0.0.1:4317"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "Authorization: " + canary},
		{"OTEL_SERVICE_NAME", " "},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			_, err := env(c.name, c.value).load(t)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), c.name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is not one line about the setting: %v", err)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestGoodValuesAreTaken(t *testing.T) {
	for _, c := range [][]string{
		{"GATECAMP_AUTH_URL", "postgresql://u:p%23@host:5432/aa"},
		{"GATECAMP_AUTH_URL", "postgres:///aa?host=/run/postgresql"},
		{"GATECAMP_AUTH_URL", "sqlite:/srv/aa.sqlite3"},
		{"GATECAMP_AUTH_URL", "snapshot:guild.json"},
		{"GATECAMP_REDIS_URL", "unix:///run/redis.sock"},
		{"GATECAMP_REDIS_URL", "rediss://host"},
		{"GATECAMP_WEBHOOK_URL", "https://discord.com/api/v10/webhooks/1/a-b_c"},
		{"GATECAMP_DISCORD_API_URL", "http://127.0.0.1:41000/api", "GATECAMP_WEBHOOK_URL", "http://127.0.0.1:41000/api/webhooks/1/t"},
		{"GATECAMP_DISCORD_API_URL", "http://[::1]:41000/api"},
		{"GATECAMP_DISCORD_API_URL", "http://localhost:41000/api"},
		{"GATECAMP_DISCORD_API_URL", "https://proxy.example/api", "GATECAMP_DISCORD_API_TRUSTED", "true"},
		{"GATECAMP_HTTP_LISTEN", "[::1]:8080"},
		{"GATECAMP_RETENTION_DAYS", "30"},
		{"GATECAMP_TEST_ANYTHING", "1"},
		{"GATECAMP_LOG_LEVEL", ""},
		{"UNRELATED", "1"},
		{"GATECAMP_EVENTS", "stdout"},
		{"GATECAMP_EVENTS", "/var/log/gatecamp/events.jsonl"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20abc,x-tenant=1"},
	} {
		if _, err := env(c...).load(t); err != nil {
			t.Errorf("%v is refused: %v", c, err)
		}
	}
}

func TestASecretComesFromAFile(t *testing.T) {
	w := env("GATECAMP_DISCORD_TOKEN_FILE", "/run/secrets/token")
	w.files["/run/secrets/token"] = canary + "\r\n"
	c, err := w.load(t, config.NeedsDiscord)
	if err != nil || c.DiscordToken.Reveal() != canary {
		t.Fatalf("token = %q, %v; want the file's text without its line end", c.DiscordToken.Reveal(), err)
	}
	if got := c.Origin("GATECAMP_DISCORD_TOKEN"); got != "file /run/secrets/token" {
		t.Errorf("origin = %q, want the file", got)
	}
}

func TestASecretsFileThatIsNoSecretIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "\n", "several lines": canary + "\n" + canary, "too long": strings.Repeat(canary, 5000),
		"the secret itself": "",
	} {
		w := env("GATECAMP_DISCORD_TOKEN_FILE", canary) // as if someone had put the token there
		if text != "" {
			w.files[canary] = text
		}
		_, err := w.load(t, config.NeedsDiscord)
		if err == nil || !strings.HasPrefix(err.Error(), "GATECAMP_DISCORD_TOKEN_FILE names a") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error = %v, want one about the file, and none about a missing token", name, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

func TestASecretSetTwiceIsRefused(t *testing.T) {
	w := env("GATECAMP_AUTH_URL", "sqlite:a", "GATECAMP_AUTH_URL_FILE", "f")
	w.files["f"] = "sqlite:b"
	_, err := w.load(t, config.NeedsAuth)
	if want := "GATECAMP_AUTH_URL and GATECAMP_AUTH_URL_FILE are both set (environment; environment); keep one of them"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestMisspeltNamesAreRefusedWithTheNearest(t *testing.T) {
	for name, cure := range map[string]string{
		"GATECAMP_DISCORD_TOKENS":       "did you mean GATECAMP_DISCORD_TOKEN?",
		"GATECAMP_DISCORD_TOKEN_FIEL":   "did you mean GATECAMP_DISCORD_TOKEN_FILE?",
		"GATECAMP_RETENTION_DAY":        "did you mean GATECAMP_RETENTION_DAYS?",
		"GATECAMP_OPERATORS_FILE":       "set GATECAMP_OPERATORS itself; only secrets come from files",
		"GATECAMP_":                     "remove it",
		"GATECAMP_SOMETHING_ELSE_WHOLE": "remove it",
	} {
		_, err := env(name, canary).load(t)
		if err == nil || !strings.Contains(err.Error(), "("+"environment); "+cure) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error = %v, want the cure %q", name, err, cure)
		}
	}
	w := env()
	w.files[".env"] = "# ours\nGATECAMP_GUILD_ID=1\nOTHER=fine\n"
	if _, err := w.load(t); err == nil || !strings.Contains(err.Error(), "GATECAMP_GUILD_ID is no setting of gatecamp (.env, line 2); did you mean GATECAMP_GUILD_IDS?") {
		t.Errorf("error = %v, want the line of the .env file", err)
	}
}

func TestTheRealEnvironmentWinsOverTheEnvFile(t *testing.T) {
	w := env("GATECAMP_RUNS_PER_USER", "3", "GATECAMP_SCHEDULE", "")
	w.files[".env"] = "GATECAMP_RUNS_PER_USER=4\nGATECAMP_RETENTION_DAYS=90\nGATECAMP_SCHEDULE=off\n"
	c, err := w.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.RunsPerUser != 3 || c.RetentionDays != 90 {
		t.Errorf("runs per user %d, retention %d; want 3 of the environment and 90 of the file", c.RunsPerUser, c.RetentionDays)
	}
	if c.Schedule != "@every 6h" {
		t.Errorf("schedule = %q, want the default: the environment unsets it", c.Schedule)
	}
}

func TestAnUnreadableEnvFileIsSaid(t *testing.T) {
	e := env().environment()
	e.ReadFile = func(name string) ([]byte, error) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	if _, err := config.Load(t.Context(), e); err == nil || !strings.Contains(err.Error(), ".env is there but cannot be read: permission denied") {
		t.Errorf("error = %v, want the reason", err)
	}
}

// loaded is a Config with a canary in every secret.
func loaded(t *testing.T) config.Config {
	t.Helper()
	w := env("GATECAMP_DISCORD_TOKEN_FILE", "token", "GATECAMP_AUTH_URL", "mysql://aa:"+canary+"@db/aa",
		"GATECAMP_DATABASE_URL", "postgres://g:"+canary+"@db/g", "GATECAMP_GUILDS_FILE", "conf/guilds.yaml", "GATECAMP_RETENTION_DAYS", "90")
	w.files["token"] = canary
	w.files["conf/hook"] = webhook + "\n"
	w.files["conf/guilds.yaml"] = "- {id: 900000000000000001, webhook_url_file: hook, locale: de}\n"
	w.files[".env"] = "GATECAMP_WEBHOOK_URL='" + webhook + "'\nGATECAMP_REDIS_URL=redis://:" + canary + "@r/0\nGATECAMP_DATA_DIR=\"a\\tb\"\n"
	c, err := w.load(t, config.NeedsAuth, config.NeedsDiscord)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNoWayOfPrintingAConfigShowsASecret(t *testing.T) {
	c := loaded(t)
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+verb, c, &c)
	}
	if err := errors.Join(c.Show(&b), c.ShowJSON(&b), json.NewEncoder(&b).Encode(c)); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&b, nil)).InfoContext(t.Context(), "started", "config", c, "pointer", &c)
	slog.New(slog.NewJSONHandler(&b, nil)).InfoContext(t.Context(), "started", "config", c, "pointer", &c)
	for _, leak := range []string{canary, fmt.Sprintf("%x", canary), "canary-5b1e"} {
		if at := strings.Index(b.String(), leak); at >= 0 {
			t.Errorf("a secret is shown: %s", b.String()[max(0, at-200):at+len(leak)])
		}
	}
}

func TestShowSaysWhatIsInForceAndWhereItCameFrom(t *testing.T) {
	c := loaded(t)
	var b strings.Builder
	if err := c.Show(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == ' ' }), " ")
	for _, want := range []string{
		"GATECAMP_DISCORD_TOKEN [REDACTED] file token\n",
		"GATECAMP_WEBHOOK_URL [REDACTED] .env, line 1\n",
		"GATECAMP_RETENTION_DAYS 90 environment\n",
		"GATECAMP_RUNS_PER_USER 6 default\n",
		"GATECAMP_OPERATORS (none) default\n",
		"GATECAMP_DATA_DIR \"a\\tb\" .env, line 3\n",
		"GATECAMP_GUILD_IDS 900000000000000001 guilds file conf/guilds.yaml\n",
		"900000000000000001 - [REDACTED] @every 6h de\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("Show lacks %q:\n%s", want, text)
		}
	}
}

func TestShowJSONIsOneObjectWithEverySetting(t *testing.T) {
	c := loaded(t)
	var b bytes.Buffer
	if err := c.ShowJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Settings []struct {
			Name, Value, From string
			Set, Secret       bool
		}
		Guilds []struct{ ID, Webhook, Locale string }
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Settings) != len(config.Settings()) || len(got.Guilds) != 1 || got.Guilds[0].Webhook != "[REDACTED]" {
		t.Errorf("JSON holds %d settings, guilds %v", len(got.Settings), got.Guilds)
	}
	if s := got.Settings[0]; s.Name != "GATECAMP_DISCORD_TOKEN" || !s.Set || !s.Secret || s.Value != "[REDACTED]" || s.From != "file token" {
		t.Errorf("the token is shown as %+v", s)
	}
}

func TestLogsGoBelowTheEndpointOrToTheirOwn(t *testing.T) {
	for want, pairs := range map[string][]string{
		"":                              {},
		"http://127.0.0.1:4318/v1/logs": {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/"},
		"http://127.0.0.1:9/x":          {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://127.0.0.1:9/x"},
	} {
		c, err := env(append(pairs, "OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20abc, x-tenant=1")...).load(t)
		if err != nil {
			t.Fatal(err)
		}
		address, headers := c.OTLP()
		if address != want || headers["Authorization"].Reveal() != "Basic abc" || headers["x-tenant"].Reveal() != "1" || len(headers) != 2 {
			t.Errorf("%q with %d headers, want %q", address, len(headers), want)
		}
	}
}
