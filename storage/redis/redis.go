// Package redis holds what several processes with one bot token share for speed: the request budget at Discord, and the gate for
// new sessions.
//
// What must stay true: nothing is only here. Redis may be emptied or away at any moment, and then each process goes by its own count.
package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
)

// callWithin bounds every step of a question: Redis is asked on the way to a request, and whoever asks has something to fall back on.
const callWithin = 200 * time.Millisecond

// Client is a connection to Redis.
type Client struct {
	db *redis.Client
}

// Quiet lets the library say nothing by itself: it writes to the standard error what every caller is told anyway. It is for the start of
// a program, before anything connects.
func Quiet() { redis.SetLogger(nothing{}) }

type nothing struct{}

// Printf satisfies the library's logger.
func (nothing) Printf(context.Context, string, ...any) {}

// Open makes the client; it connects with the first question. The address is redis://… or rediss://….
func Open(address secret.String) (*Client, error) { return open(address, callWithin) }

// OpenPatiently is Open for trials: every step may take long, so that a busy machine is not taken for a server that is away.
func OpenPatiently(address secret.String) (*Client, error) { return open(address, 100*callWithin) }

func open(address secret.String, within time.Duration) (*Client, error) {
	o, err := redis.ParseURL(address.Reveal())
	if err != nil { // its words may quote the password
		return nil, problem.New(problem.Usage, "GATECAMP_REDIS_URL is no address of a Redis server", "write it as redis://user:password@host:6379/0")
	}
	o.ContextTimeoutEnabled, o.MaxRetries = true, -1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = within, within, within, within
	o.DialerRetries = 1
	return &Client{db: redis.NewClient(o)}, nil
}

// Close ends the connections.
func (c *Client) Close() error { return c.db.Close() }

// Budget is the request budget of one bot.
type Budget struct {
	db     *redis.Client
	prefix string
}

// Budget is the budget of a bot, named by its id.
func (c *Client) Budget(bot string) *Budget {
	// The braces keep all keys of a bot on one node of a cluster: the scripts touch several.
	return &Budget{db: c.db, prefix: "gatecamp:{" + bot + "}:"}
}

// window is a bucket in Redis: limit, what remains, and when its window ends by Redis's clock in milliseconds, 0 while none has begun.
const window = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function read(key)
  local v = redis.call('HMGET', key, 'limit', 'remaining', 'reset')
  if not v[1] then return nil end
  local b = {limit = tonumber(v[1]), remaining = tonumber(v[2]), reset = tonumber(v[3])}
  if b.reset > 0 and now >= b.reset then b.remaining = b.limit; b.reset = 0 end
  return b
end
local function write(key, b)
  redis.call('HSET', key, 'limit', b.limit, 'remaining', b.remaining, 'reset', b.reset)
  redis.call('PEXPIRE', key, math.max(b.reset - now, 0) + 120000)
end
`

// The pauses between looks at a bucket whose window nobody has seen yet, and before the end of a window in which bulk work takes what
// is left, in milliseconds.
const (
	lookAgain   = 50
	endOfWindow = 500
)

var admit = redis.NewScript(window + fmt.Sprintf(`
local paused = redis.call('PTTL', KEYS[1])
if paused > 0 then return paused end
local b = read(KEYS[3])
if b then
  local keep = 0
  local back = b.reset
  if ARGV[1] == '1' and not (b.reset > 0 and now >= b.reset - %[2]d) then
    keep = math.floor(b.limit * 3 / 10)
    back = b.reset - %[2]d
  end
  if b.remaining <= keep then
    if b.reset == 0 then return %[1]d end
    if b.remaining <= 0 then back = b.reset end
    return math.max(back - now, 1)
  end
end
if ARGV[2] == '1' then
  local used = redis.call('INCR', KEYS[2])
  if used == 1 then redis.call('PEXPIRE', KEYS[2], 1000) end
  if used > tonumber(ARGV[3]) then
    redis.call('DECR', KEYS[2])
    return math.max(redis.call('PTTL', KEYS[2]), 1)
  end
end
if b then
  b.remaining = b.remaining - 1
  write(KEYS[3], b)
end
return 0
`, lookAgain, endOfWindow))

var learn = redis.NewScript(window + `
local limit, left, reset = tonumber(ARGV[1]), tonumber(ARGV[2]), now + tonumber(ARGV[3])
local b = read(KEYS[1])
if not b then
  b = {limit = limit, remaining = left, reset = reset}
elseif b.reset == 0 then
  b.remaining = math.min(b.remaining, left); b.reset = reset
elseif reset > b.reset + 100 then
  b.remaining = left; b.reset = reset
else
  b.remaining = math.min(b.remaining, left)
end
b.limit = math.max(limit, 1)
write(KEYS[1], b)
return 0
`)

var giveBack = redis.NewScript(window + `
local b = read(KEYS[1])
if b then
  b.remaining = math.min(b.remaining + 1, b.limit)
  write(KEYS[1], b)
end
return 0
`)

var pause = redis.NewScript(`
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
return 0
`)

func (b *Budget) key(name string) string { return b.prefix + name }

func flag(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// Admit takes one request of a bucket and, if counted, of the global rate a second. A wait above zero means that nothing was taken.
func (b *Budget) Admit(ctx context.Context, bucket string, bulk, counted bool, perSecond int) (wait time.Duration, err error) {
	defer wrap.Err(&err, "redis: admit a request")
	keys := []string{b.key("pause"), b.key("global"), b.key("bucket:" + bucket)}
	ms, err := admit.Run(ctx, b.db, keys, flag(bulk), flag(counted), perSecond).Int64()
	return time.Duration(ms) * time.Millisecond, err
}

// Learn takes what an answer says about the bucket.
func (b *Budget) Learn(ctx context.Context, bucket string, limit, remaining int, resetAfter time.Duration) (err error) {
	defer wrap.Err(&err, "redis: learn about a bucket")
	return learn.Run(ctx, b.db, []string{b.key("bucket:" + bucket)}, limit, remaining, resetAfter.Milliseconds()).Err()
}

// GiveBack returns what Admit took of the bucket and was not sent. The global rate renews itself within a second.
func (b *Budget) GiveBack(ctx context.Context, bucket string) (err error) {
	defer wrap.Err(&err, "redis: give a request back")
	return giveBack.Run(ctx, b.db, []string{b.key("bucket:" + bucket)}).Err()
}

// Pause holds everything for so long; a longer pause stays.
func (b *Budget) Pause(ctx context.Context, wait time.Duration) (err error) {
	defer wrap.Err(&err, "redis: pause")
	return pause.Run(ctx, b.db, []string{b.key("pause")}, max(wait.Milliseconds(), 1)).Err()
}

// Gate is the gate through which the processes of one bot begin sessions with Discord.
type Gate struct {
	db     *redis.Client
	prefix string
}

// Gate is the gate of a bot, named by its id.
func (c *Client) Gate(bot string) *Gate {
	return &Gate{db: c.db, prefix: "gatecamp:{" + bot + "}:identify:"}
}

var pass = redis.NewScript(`
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
return math.max(redis.call('PTTL', KEYS[1]), 1)
`)

// Pass takes a bucket for the time. A wait above zero means that somebody else has it, and for how long.
func (g *Gate) Pass(ctx context.Context, bucket int, within time.Duration) (wait time.Duration, err error) {
	defer wrap.Err(&err, "redis: pass the gate for new sessions")
	ms, err := pass.Run(ctx, g.db, []string{g.prefix + strconv.Itoa(bucket)}, within.Milliseconds()).Int64()
	return time.Duration(ms) * time.Millisecond, err
}
