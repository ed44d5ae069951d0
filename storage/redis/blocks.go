package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Fleet is what the processes of one bot share about blocks: copies of their newest changes, blocks that no database has yet, news, and
// what rules have counted.
//
// The copies are one sorted set: a change by its revision, and the member "floor", whose score is the revision after which nothing is
// missing. They are one key, so that a server that drops keys drops the floor with them.
type Fleet struct {
	db                     *redis.Client
	prefix                 string
	changes, held, channel string
}

// Fleet is of a bot, named by its id; anything else with a name of its own may have one too.
func (c *Client) Fleet(name string) *Fleet {
	prefix := "gatecamp:{" + name + "}:"
	return &Fleet{c.db, prefix, prefix + "blocks", prefix + "held", prefix + "news"}
}

// CountTrips counts from now on every round trip to the server, of all that uses the same client.
func (f *Fleet) CountTrips() *atomic.Int64 {
	var t trips
	f.db.AddHook(&t)
	return &t.n
}

// trips is a hook that counts.
type trips struct{ n atomic.Int64 }

// add leaves out how a new connection introduces itself.
func (t *trips) add(cmd redis.Cmder) {
	if cmd.Name() != "hello" && cmd.Name() != "client" {
		t.n.Add(1)
	}
}

// DialHook satisfies redis.Hook.
func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook satisfies redis.Hook.
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.add(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook satisfies redis.Hook.
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.add(cmds[0])
		return next(ctx, cmds)
	}
}

const (
	mostCopies = 10_000             // changes that are kept
	copiesKept = 7 * 24 * time.Hour // after the last change
	floor      = "floor"
)

// The first letter of news.
const (
	newsBeat  = "."
	newsBlock = "b"
	newsHeld  = "h"
)

// sound drops a key that is not of the kind that it must be.
const sound = `
local function sound(key, kind)
  local is = redis.call('TYPE', key).ok
  if is ~= kind and is ~= 'none' then redis.call('DEL', key) end
end
`

var putCopy = redis.NewScript(sound + fmt.Sprintf(`
sound(KEYS[1], 'zset')
local revision = tonumber(ARGV[1])
local floor = redis.call('ZSCORE', KEYS[1], '%[1]s')
if not floor then
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], revision - 1, '%[1]s')
elseif revision > tonumber(floor) and redis.call('ZCOUNT', KEYS[1], revision, revision) > 0 then
  return 0
end
redis.call('PUBLISH', ARGV[3], '%[2]s' .. ARGV[2])
if floor and revision <= tonumber(floor) then return 0 end
redis.call('ZADD', KEYS[1], revision, ARGV[2])
local over = redis.call('ZCARD', KEYS[1]) - 1 - %[3]d
if over > 0 then
  local last = redis.call('ZRANGE', KEYS[1], over, over, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over)
  redis.call('ZADD', KEYS[1], last[2], '%[1]s')
end
redis.call('PEXPIRE', KEYS[1], %[4]d)
return 1
`, floor, newsBlock, mostCopies, copiesKept.Milliseconds()))

var beginCopies = redis.NewScript(sound + fmt.Sprintf(`
sound(KEYS[1], 'zset')
if ARGV[2] == '1' or not redis.call('ZSCORE', KEYS[1], '%[1]s') then
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], ARGV[1], '%[1]s')
  redis.call('PEXPIRE', KEYS[1], %[2]d)
end
return 0
`, floor, copiesKept.Milliseconds()))

// A held block is its end in microseconds, h or, once it was taken back, r, and the block.
const heldState = sound + `
sound(KEYS[1], 'hash')
local till, state = nil, nil
local have = redis.call('HGET', KEYS[1], ARGV[1])
if have then till, state = string.match(have, '^(%-?%d+) ([hr]) ') end
`

var hold = redis.NewScript(heldState + `
if state == 'h' and tonumber(till) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' h ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[5])))
redis.call('PUBLISH', ARGV[4], '` + newsHeld + `' .. ARGV[3])
return 1
`)

var unhold = redis.NewScript(heldState + `
if not state then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], till .. ' r ' .. ARGV[2])
redis.call('PUBLISH', ARGV[3], '` + newsHeld + `' .. ARGV[2])
return 1
`)

var settle = redis.NewScript(heldState + `
if state == 'r' then return 1 end
redis.call('HDEL', KEYS[1], ARGV[1])
return 0
`)

// PutBlock satisfies storage.BlockCopies.
func (f *Fleet) PutBlock(ctx context.Context, b storage.Block) (err error) {
	defer wrap.Err(&err, "redis: copy a block")
	entry, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return putCopy.Run(ctx, f.db, []string{f.changes}, b.Revision, entry, f.channel).Err()
}

// CopiesSince satisfies storage.BlockCopies.
func (f *Fleet) CopiesSince(ctx context.Context, revision int64) (changed, held []storage.Block, err error) {
	defer wrap.Err(&err, "redis: copies of blocks")
	p := f.db.Pipeline()
	from := p.ZScore(ctx, f.changes, floor)
	news := p.ZRangeByScore(ctx, f.changes, &redis.ZRangeBy{Min: "(" + strconv.FormatInt(revision, 10), Max: "+inf"})
	waiting := p.HGetAll(ctx, f.held)
	_, _ = p.Exec(ctx) // each answer says for itself
	for _, cmd := range []redis.Cmder{from, news, waiting} {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return nil, nil, told(err)
		}
	}
	var broken error
	for _, value := range waiting.Val() {
		_, rest, _ := strings.Cut(value, " ")
		_, entry, _ := strings.Cut(rest, " ")
		broken = errors.Join(broken, add(&held, entry))
	}
	for _, entry := range news.Val() {
		if entry != floor {
			broken = errors.Join(broken, add(&changed, entry))
		}
	}
	switch {
	case broken != nil:
		return changed, held, broken
	case from.Err() != nil, int64(from.Val()) > revision:
		return changed, held, storage.ErrCold
	}
	return changed, held, nil
}

// add reads an entry.
func add(all *[]storage.Block, entry string) error {
	var b storage.Block
	if err := json.Unmarshal([]byte(entry), &b); err != nil || b.Scope == "" {
		return storage.ErrMalformed
	}
	b.Evidence = nil // stays in the database
	*all = append(*all, b)
	return nil
}

// told gives an answer of the server's about the kind of a key its name.
func told(err error) error {
	if strings.HasPrefix(err.Error(), "WRONGTYPE") {
		return fmt.Errorf("%w: %w", storage.ErrMalformed, err)
	}
	return err
}

// NewestCopy satisfies storage.BlockCopies.
func (f *Fleet) NewestCopy(ctx context.Context) (_ int64, err error) {
	defer wrap.Err(&err, "redis: newest copy of a block")
	newest, err := f.db.ZRevRangeWithScores(ctx, f.changes, 0, 0).Result()
	if err != nil || len(newest) == 0 {
		return 0, toldOrNil(err)
	}
	return int64(newest[0].Score), nil
}

func toldOrNil(err error) error {
	if err == nil {
		return nil
	}
	return told(err)
}

// BeginCopies satisfies storage.BlockCopies.
func (f *Fleet) BeginCopies(ctx context.Context, revision int64, anew bool) (err error) {
	defer wrap.Err(&err, "redis: begin copies of blocks")
	return beginCopies.Run(ctx, f.db, []string{f.changes}, revision, flag(anew)).Err()
}

// Reachable satisfies storage.BlockCopies.
func (f *Fleet) Reachable(ctx context.Context) (err error) {
	defer wrap.Err(&err, "redis")
	return f.db.Ping(ctx).Err()
}

// field is the name of a subject among the held blocks.
func field(b *storage.Block) string { return b.Guild.String() + " " + b.Scope + " " + b.Value }

// HoldBlock satisfies storage.HeldBlocks.
func (f *Fleet) HoldBlock(ctx context.Context, b storage.Block) (err error) {
	defer wrap.Err(&err, "redis: hold a block")
	entry, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return hold.Run(ctx, f.db, []string{f.held}, field(&b), b.End.UnixMicro(), entry, f.channel, max(b.End.Sub(b.Start).Milliseconds(), 1)).Err()
}

// UnholdBlock satisfies storage.HeldBlocks.
func (f *Fleet) UnholdBlock(ctx context.Context, b storage.Block) (was bool, err error) {
	defer wrap.Err(&err, "redis: take a held block back")
	entry, err := json.Marshal(b)
	if err != nil {
		return false, err
	}
	n, err := unhold.Run(ctx, f.db, []string{f.held}, field(&b), entry, f.channel).Int64()
	return n == 1, err
}

// SettleBlock satisfies storage.HeldBlocks.
func (f *Fleet) SettleBlock(ctx context.Context, b storage.Block) (revoked bool, err error) {
	defer wrap.Err(&err, "redis: settle a held block")
	n, err := settle.Run(ctx, f.db, []string{f.held}, field(&b)).Int64()
	return n == 1, err
}

// Spoil writes nonsense among the copies: to try what becomes of it.
func (f *Fleet) Spoil(ctx context.Context, text string) (err error) {
	defer wrap.Err(&err, "redis: spoil")
	return f.db.ZAdd(ctx, f.changes, redis.Z{Score: 1 << 51, Member: "{" + text}).Err()
}

// Drop removes every key of the fleet: for one that was made for a trial.
func (f *Fleet) Drop(ctx context.Context) (err error) {
	defer wrap.Err(&err, "redis: drop")
	keys := f.db.Scan(ctx, 0, f.prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		if err := f.db.Unlink(ctx, keys.Val()).Err(); err != nil {
			return err
		}
	}
	return keys.Err()
}
