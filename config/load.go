package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"gatecamp/internal/problem"
)

const (
	prefix     = "GATECAMP_"
	testPrefix = "GATECAMP_TEST_" // read by tests alone
	dotEnvFile = ".env"           // in the working folder
)

// maxSecretFile is more than any token or address has; a longer file is not what was meant.
const maxSecretFile = 64 << 10

// Environment is where settings are read from.
type Environment struct {
	Lookup   func(name string) (string, bool)       // the real environment; it wins over the .env file
	Names    []string                               // the names that are set in it, to find misspelt ones; nil: not looked for
	ReadFile func(name string) ([]byte, error)      // reads .env, the files of secrets, the guilds file and the rules file
	Mode     func(name string) (fs.FileMode, error) // who may read such a file; nil: not looked at
}

// System is the environment of this process.
func System() Environment {
	var set []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		set = append(set, name)
	}
	return Environment{Lookup: os.LookupEnv, Names: set, ReadFile: os.ReadFile, Mode: modeOf}
}

func modeOf(name string) (fs.FileMode, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// Load reads and checks every setting. A setting that is set to the empty string counts as not set. The error joins one
// problem.Problem of kind Usage for everything that is wrong, and for every setting that the needs ask for and nobody set.
func Load(ctx context.Context, env Environment, needs ...Need) (Config, error) {
	l := loader{ctx: ctx, env: env, config: Config{sources: map[string]Source{}, texts: map[string]string{}}, good: map[string]string{}}
	l.dotEnv = l.readDotEnv()
	l.refuseUnknown()
	for _, s := range settings {
		l.read(s)
	}
	if err := l.decode(&l.config, l.good); err != nil {
		return Config{}, err
	}
	l.crossCheck()
	l.readGuilds()
	l.readRules()
	return l.config, errors.Join(append(l.wrong, l.config.Validate(needs...))...)
}

// loader gathers what is wrong on the way, so that one run of the program tells everything.
type loader struct {
	ctx    context.Context
	env    Environment
	dotEnv map[string]entry
	config Config
	good   map[string]string // values by name that passed their check, defaults included
	wrong  []error
}

func (l *loader) complain(what, cure string) {
	l.wrong = append(l.wrong, problem.New(problem.Usage, what, cure))
}

// decode fills target: with the given values, and the defaults for all others, since go-envconfig decodes what is unset too.
func (l *loader) decode(target *Config, values map[string]string) error {
	lookup := func(name string) (string, bool) {
		if v, ok := values[name]; ok {
			return v, true
		}
		s, _ := settingNamed(name)
		return s.Default, s.Default != ""
	}
	return envconfig.ProcessWith(l.ctx, &envconfig.Config{Target: target, Lookuper: envconfig.LookuperFunc(lookup)})
}

func (l *loader) readDotEnv() map[string]entry {
	text, err := l.env.ReadFile(dotEnvFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		l.complain(dotEnvFile+" is there but cannot be read: "+reason(err), "let this user read it, or remove it")
		return nil
	}
	entries, wrong := parseDotEnv(text)
	for _, w := range wrong {
		l.complain(fmt.Sprintf("%s, line %d: %s", dotEnvFile, w.line, w.what), w.cure)
	}
	return entries
}

// value finds what was written for a name: in the environment, else in .env.
func (l *loader) value(name string) (string, Source, bool) {
	if v, ok := l.env.Lookup(name); ok {
		return v, "environment", v != ""
	}
	e, ok := l.dotEnv[name]
	return e.value, Source(fmt.Sprintf("%s, line %d", dotEnvFile, e.line)), ok && e.value != ""
}

// read finds one setting, checks it, and keeps it if it is good.
func (l *loader) read(s Setting) {
	value, source, set := l.value(s.Name)
	if s.Secret {
		if path, from, filed := l.value(s.Name + fileSuffix); filed {
			if set {
				l.complain(fmt.Sprintf("%s and %s%s are both set (%s; %s)", s.Name, s.Name, fileSuffix, source, from), "keep one of them")
				l.config.sources[s.Name] = source
				return
			}
			if value, set = l.readSecret(s, path); !set {
				l.config.sources[s.Name] = from
				return
			}
			source = Source("file " + path)
		}
	}
	if !set {
		value, source = s.Default, Default
	}
	if e, here := l.dotEnv[s.Name]; s.Secret && here && e.value == value && value != "" {
		l.holds(dotEnvFile)
	}
	if value == "" {
		return
	}
	l.config.sources[s.Name] = source
	if !l.fits(s, value) {
		what := s.Name + " must be " + s.Form
		if !s.Secret {
			what += "; it is " + shown(value)
		}
		l.complain(what, mend(source))
		return
	}
	l.good[s.Name] = value
	if !s.Secret {
		l.config.texts[s.Name] = value
	}
}

// fits reports whether the value passes its check and its type. Each value is tried on its own, because go-envconfig stops
// at the first that does not fit.
func (l *loader) fits(s Setting, value string) bool {
	if strings.ContainsRune(value, 0) || s.check != nil && !s.check(value) {
		return false
	}
	var try Config
	return l.decode(&try, map[string]string{s.Name: value}) == nil
}

// readSecret reads the file of a secret. Its name is not repeated in errors: a secret may have been put there by mistake.
func (l *loader) readSecret(s Setting, path string) (string, bool) {
	name := s.Name + fileSuffix
	text, err := l.env.ReadFile(path)
	if err != nil {
		l.complain(name+" names a file that cannot be read: "+reason(err), "name a file that this user can read, or set "+s.Name+" itself")
		return "", false
	}
	text = bytes.TrimRight(text, "\r\n")
	switch {
	case len(text) == 0:
		l.complain(name+" names an empty file", "write the secret into it, or unset "+name)
	case len(text) > maxSecretFile:
		l.complain(name+" names a file that is too long for a secret", "name the file that holds the secret and nothing else")
	case bytes.ContainsAny(text, "\r\n"):
		l.complain(name+" names a file of several lines", "leave the secret in it and nothing else")
	default:
		l.holds(path)
		return string(text), true
	}
	return "", false
}

// refuseUnknown refuses names that begin like ours and are none: a misspelt setting would silently keep its default.
func (l *loader) refuseUnknown() {
	where := map[string]Source{}
	for name, e := range l.dotEnv {
		where[name] = Source(fmt.Sprintf("%s, line %d", dotEnvFile, e.line))
	}
	for _, name := range l.env.Names {
		where[name] = "environment"
	}
	known := names()
	var unknown []string
	for name := range where {
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, testPrefix) && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		what, cure := fmt.Sprintf("%s is no setting of gatecamp (%s)", shownName(name), where[name]), "remove it"
		if base, ok := strings.CutSuffix(name, fileSuffix); ok && slices.Contains(known, base) {
			cure = "set " + base + " itself; only secrets come from files"
		} else if near := nearest(name, known); near != "" {
			cure = "did you mean " + near + "? Otherwise remove it"
		}
		l.complain(what, cure)
	}
}

// crossCheck looks at the settings that depend on each other.
func (l *loader) crossCheck() {
	c := &l.config
	_, apiGood := l.good["GATECAMP_DISCORD_API_URL"]
	if apiGood && !isLoopback(c.DiscordAPIURL) && !c.DiscordAPITrusted {
		l.complain("GATECAMP_DISCORD_API_URL leads to another machine, which would be sent the bot's token",
			"unset it, aim it at this machine (127.0.0.1, ::1 or localhost), or say GATECAMP_DISCORD_API_TRUSTED=true")
	}
	if c.WebhookURL.IsSet() && l.apiKnown() && !mayPost(c.WebhookURL.Reveal(), c.DiscordAPIURL) {
		l.complain("GATECAMP_WEBHOOK_URL does not lead to "+server(c.DiscordAPIURL), mend(c.Origin("GATECAMP_WEBHOOK_URL"))+", to the address that Discord's channel settings show")
	}
	if _, ok := l.good["GATECAMP_RUNS_PER_USER"]; ok && c.RunsPerUser == 0 && !c.RunsUnlimited {
		l.complain("GATECAMP_RUNS_PER_USER=0 lets everyone order runs without limit", "set a number of 1 or more, or say GATECAMP_RUNS_UNLIMITED_ACKNOWLEDGED=true")
	}
	if _, ok := l.good["GATECAMP_RETENTION_DAYS"]; ok && c.RetentionDays == 0 && !c.RetentionOptOut {
		l.complain("GATECAMP_RETENTION_DAYS=0 keeps personal data for ever", "set 30 or more, or say GATECAMP_RETENTION_OPT_OUT_ACKNOWLEDGED=true")
	}
}

// apiKnown reports whether it is certain which server webhooks must lead to.
func (l *loader) apiKnown() bool {
	return l.config.Origin("GATECAMP_DISCORD_API_URL") == Default || l.config.DiscordAPIURL != ""
}

func server(api string) string {
	if api == "" {
		return "Discord"
	}
	return "the server of GATECAMP_DISCORD_API_URL"
}

// mend says where a value is to be changed.
func mend(source Source) string { return "change it where it is set (" + string(source) + ")" }
