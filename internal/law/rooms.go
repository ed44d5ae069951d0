// Package law turns the rules of the house into tests: who may import whom, where each library lives, and what no file may hold.
//
// What must stay true: a package, an import or a library that the tables here do not know is a failure, never a pass. When a
// rule is in the way, change the tables in the same commit as the reason.
package law

// Layer is the place of a package in the house. A closed set.
type Layer int

// The layers, innermost first.
const (
	Pure    Layer = iota + 1 // values and decisions: nothing that waits, talks or remembers
	Leaf                     // one job with at most one library, no network and no database
	Engine                   // moves facts through pure code, through small interfaces of its own
	Adapter                  // speaks with one thing outside
	Edge                     // where the world comes in: gateway, commands, schedule, web
	Wiring                   // puts everything together
	Harness                  // tests and what only tests use
)

func (l Layer) String() string {
	return [...]string{"no layer", "pure", "leaf", "engine", "adapter", "edge", "wiring", "harness"}[l]
}

// room is one package: its layer, and the packages it may import although its layer may not import theirs.
type room struct {
	path  string // under the module's path
	layer Layer
	also  []string
}

// rooms lists every package, those that come later too. A package that is not here fails.
var rooms = []room{
	{path: "trail", layer: Pure},
	{path: "audit", layer: Pure, also: []string{"trail"}},
	{path: "enforcement", layer: Pure, also: []string{"trail"}},
	{path: "enforcement/rules", layer: Pure, also: []string{"enforcement", "trail"}},

	{path: "storage", layer: Leaf},
	{path: "storage/relational", layer: Leaf}, // what both databases share: statements and their words, no driver
	{path: "audit/snapshot", layer: Leaf},
	{path: "audit/snapshot/demo", layer: Leaf},
	{path: "audit/policyfile", layer: Leaf},
	{path: "enforcement/rulefile", layer: Leaf},
	{path: "enforcement/replay", layer: Engine, also: []string{"enforcement/guard"}}, // runs scenario files on the guard
	{path: "i18n", layer: Leaf},
	{path: "notify", layer: Leaf},
	{path: "internal/secret", layer: Leaf},
	{path: "internal/problem", layer: Leaf},
	{path: "internal/spelling", layer: Leaf},
	{path: "internal/wrap", layer: Leaf},

	{path: "audit/reconcile", layer: Engine},
	{path: "enforcement/guard", layer: Engine},

	{path: "storage/postgres", layer: Adapter},
	{path: "storage/sqlite", layer: Adapter},
	{path: "storage/redis", layer: Adapter},
	{path: "migrations", layer: Adapter},
	{path: "auth", layer: Adapter},
	{path: "discord", layer: Adapter},
	{path: "discord/discordtest", layer: Adapter},
	{path: "telemetry", layer: Adapter},

	{path: "bot", layer: Edge},
	{path: "commands", layer: Edge},
	{path: "schedule", layer: Edge},
	{path: "web", layer: Edge},

	{path: "config", layer: Wiring},
	{path: "cmd/gatecamp", layer: Wiring, also: []string{"auth/authtest"}}, // `bench discord` measures with an Auth that is made up

	{path: "auth/authtest", layer: Harness},
	{path: "storage/storagetest", layer: Harness},
	{path: "scenario", layer: Harness},
	{path: "internal/law", layer: Harness},
}

// mayImport says which layers a layer may import among our own packages. Pure rooms name theirs one by one.
var mayImport = map[Layer][]Layer{
	Pure:    {},
	Leaf:    {Pure, Leaf},
	Engine:  {Pure, Leaf},
	Adapter: {Pure, Leaf},
	Edge:    {Pure, Leaf, Engine},
	Wiring:  {Pure, Leaf, Engine, Adapter, Edge, Wiring},
	Harness: {Pure, Leaf, Engine, Adapter, Edge, Wiring, Harness},
}

// edgeMayTalkTo is the one adapter that edges see: Discord is what they are the edge of.
const edgeMayTalkTo = "discord"

// drivers are the libraries that reach a database or a server.
var drivers = []string{
	"database/sql", "github.com/jackc/pgx/v5", "github.com/go-sql-driver/mysql", "modernc.org/sqlite", "github.com/redis/go-redis/v9",
	"github.com/pressly/goose/v3", "github.com/riverqueue/river",
}

const disgo = "github.com/disgoorg/disgo"

// mustNotReach says what a layer must not reach through however many imports. Ours are written with "./".
var mustNotReach = map[Layer][]string{
	Pure:   append([]string{"net", "net/http", "os", "os/exec", "log", "log/slog", "context", "math/rand", "math/rand/v2", disgo}, drivers...),
	Leaf:   append([]string{"net/http", disgo}, drivers...),
	Engine: append([]string{disgo, "./storage/postgres", "./storage/sqlite", "./storage/redis", "./migrations", "./auth", "./discord"}, drivers...),
	Edge:   {"./storage/postgres", "./storage/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3"},
}

// onlyDirectly are entries of mustNotReach that bind a package's own imports alone: the standard library reaches them for
// purposes that change nothing (fmt reaches os, log/slog reaches context, x/text reaches log).
var onlyDirectly = []string{"os", "log", "context", "math/rand", "math/rand/v2"}

// homes says where a library from outside may be imported, longest path first. "" is every package.
var homes = []struct {
	library string
	in      []string
}{
	{"github.com/disgoorg/snowflake/v2", []string{""}},
	{"golang.org/x/text", []string{""}},
	{"golang.org/x/sync", []string{"engine", "adapter", "edge", "wiring", "harness"}},

	{disgo, []string{"discord", "bot", "commands"}},
	{"github.com/gorilla/websocket", []string{"discord"}},                           // disgo's, for the dialer it takes
	{"github.com/jackc/pgx/v5", []string{"storage/postgres", "auth", "migrations"}}, // River's own migrations take a transaction of pgx
	{"github.com/go-sql-driver/mysql", []string{"auth"}},
	{"modernc.org/sqlite", []string{"storage/sqlite", "auth", "auth/authtest"}},
	{"github.com/redis/go-redis/v9", []string{"storage/redis"}},
	{"github.com/pressly/goose/v3", []string{"migrations"}},
	{"github.com/riverqueue/river/rivermigrate", []string{"migrations"}},
	{"github.com/riverqueue/river/riverdriver", []string{"migrations", "schedule", "cmd/gatecamp"}},
	{"github.com/riverqueue/river", []string{"schedule", "cmd/gatecamp"}},
	{"github.com/robfig/cron/v3", []string{"schedule"}},
	{"github.com/gaissmai/bart", []string{"enforcement/guard"}},
	{"github.com/sethvargo/go-envconfig", []string{"config"}},
	{"github.com/goccy/go-yaml", []string{"audit/policyfile", "config", "enforcement/rulefile"}},
	{"github.com/nicksnyder/go-i18n/v2", []string{"i18n"}},
	{"github.com/gofrs/flock", []string{"storage/sqlite", "migrations"}},
	{"github.com/spf13/cobra", []string{"cmd/gatecamp"}},
	{"github.com/spf13/pflag", []string{"cmd/gatecamp"}},
	{"github.com/prometheus/client_golang", []string{"cmd/gatecamp", "web"}},
	{"github.com/coder/websocket", []string{"discord/discordtest"}},
	{"github.com/klauspost/compress", []string{"discord/discordtest"}},
	{"go.opentelemetry.io/otel", []string{"telemetry"}},

	{"github.com/google/go-cmp", []string{"harness"}},
	{"pgregory.net/rapid", []string{"harness"}},
	{"go.uber.org/goleak", []string{"harness"}},
	{"golang.org/x/tools/txtar", []string{"harness"}},
	{"github.com/alicebob/miniredis/v2", []string{"harness"}},
}

// emptyNames are package names that say nothing about what is inside.
var emptyNames = []string{"pkg", "util", "utils", "common", "models", "helpers", "helper", "types", "misc", "shared", "base", "lib"}
