package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"gatecamp/enforcement"
	"gatecamp/internal/wrap"
)

// together is between subjects that are counted together.
const together = "\x00"

// tallyBytes is how long a tally is on its way: the subject's place, kind and whether it only reads, slot, window, need, value.
const tallyBytes = 14

// readOnly marks a kind that only reads.
const readOnly = 0x80

// count does every tally of one incident. What was counted about a subject is one value, packed as package guard packs it: slots of
// two bytes number, two bytes length and 4-byte numbers, least byte first. A value that nobody can have written counts as none.
var count = redis.NewScript(fmt.Sprintf(`
local byte, sub, char, int, concat = string.byte, string.sub, string.char, math.floor, table.concat
local now, ops = tonumber(ARGV[1]), ARGV[2]
local turn = 4294967296
local now32 = now %% turn
local function num(s, p)
  local a, b, c, d = byte(s, p, p + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end
local function enc(n) return char(n %% 256, int(n / 256) %% 256, int(n / 65536) %% 256, int(n / 16777216) %% 256) end
local nowtext = enc(now32)
local function within(t, window)
  local age = (now32 - t) %% turn
  if age >= 2147483648 then age = age - turn end
  return age < window and age >= -%[1]d
end

local function unpacked(v)
  local slots, order, p, n = {}, {}, 1, #v
  while p + 3 <= n do
    local a, b, c, d = byte(v, p, p + 3)
    local id, len = a + b * 256, c + d * 256
    if p + 3 + len > n or len %% 4 ~= 0 or slots[id] then return {}, {} end
    slots[id] = sub(v, p + 4, p + 3 + len)
    order[#order + 1] = id
    p = p + 4 + len
  end
  if p ~= n + 1 then return {}, {} end
  return slots, order
end

local kinds = {}
kinds[%[2]d] = function(was, window, need, value, read)
  local n, from = #was / 4, 0
  while from < n and not within(num(was, 4 * from + 1), window) do from = from + 1 end
  if not read and n - from >= need then from = n - need + 1 end
  if from > 0 then was = sub(was, 4 * from + 1) end
  if read then return was, n - from end
  return was .. nowtext, n - from + 1
end
kinds[%[3]d] = function(was, window, need, value, read)
  local bucket, current, previous = int(now / window) %% turn, 0, 0
  if #was == 12 then
    local age = (bucket - num(was, 1)) %% turn
    if age == 0 then current, previous = num(was, 5), num(was, 9) elseif age == 1 then previous = num(was, 5) end
  end
  if not read then current = current + 1 end
  return enc(bucket) .. enc(current) .. enc(previous), current + int(previous * (window - now %% window) / window)
end
kinds[%[4]d] = function(was, window, need, value, read)
  local start, n = now32, 0
  if #was == 8 and within(num(was, 1), window) then start, n = num(was, 1), num(was, 5) end
  if not read then n = n + 1 end
  return enc(start) .. enc(n), n
end
kinds[%[5]d] = function(was, window, need, value, read)
  local kept = {}
  for p = 1, #was - 7, 8 do
    if within(num(was, p + 4), window) and (read or num(was, p) ~= value) then kept[#kept + 1] = sub(was, p, p + 7) end
  end
  if read then return was, #kept end
  local from = 1
  if #kept >= need then from = #kept - need + 2 end
  kept[#kept + 1] = enc(value) .. nowtext
  return concat(kept, '', from), #kept - from + 1
end

local slots, order, longest, answer = {}, {}, {}, {}
for k = 1, #KEYS do
  local v = redis.pcall('GET', KEYS[k])
  if type(v) == 'string' then
    slots[k], order[k] = unpacked(v)
  else
    if v then redis.call('DEL', KEYS[k]) end
    slots[k], order[k] = {}, {}
  end
  longest[k] = 0
end
for p = 1, #ops, %[6]d do
  local k, kind, s1, s2, w1, w2, w3, w4, n1, n2, v1, v2, v3, v4 = byte(ops, p, p + %[6]d - 1)
  local read = kind >= %[7]d
  if read then kind = kind - %[7]d end
  local slot, window = s1 + s2 * 256, w1 + w2 * 256 + w3 * 65536 + w4 * 16777216
  local was = slots[k][slot]
  local is, n = kinds[kind](was or '', window, n1 + n2 * 256, v1 + v2 * 256 + v3 * 65536 + v4 * 16777216, read)
  answer[#answer + 1] = n
  if not read then
    if not was then order[k][#order[k] + 1] = slot end
    slots[k][slot] = is
    if window > longest[k] then longest[k] = window end
  end
end
for k = 1, #KEYS do
  if longest[k] > 0 then
    local text = {}
    for _, id in ipairs(order[k]) do
      local s = slots[k][id]
      local len = #s
      text[#text + 1] = char(id %% 256, int(id / 256), len %% 256, int(len / 256))
      text[#text + 1] = s
    end
    local left = redis.call('PTTL', KEYS[k])
    redis.call('SET', KEYS[k], concat(text), 'PX', math.max(left, 2 * longest[k]))
  end
end
return answer
`, time.Minute.Milliseconds(), enforcement.Exact, enforcement.Interpolated, enforcement.Fixed, enforcement.Distinct, tallyBytes, readOnly))

func (f *Fleet) counter(subject string) string { return f.prefix + "c:" + subject }

func (f *Fleet) joint(subject string) string { return f.prefix + "j:" + subject }

// Count takes the tallies in their order, in one round trip, and says of each how many are in its window now.
func (f *Fleet) Count(ctx context.Context, at time.Time, tallies []enforcement.Tally) (counted []int, err error) {
	defer wrap.Err(&err, "redis: count")
	if len(tallies) == 0 {
		return nil, nil
	}
	var subjects, keys []string
	ops := make([]byte, 0, len(tallies)*tallyBytes)
	longest := time.Duration(0)
	for i := range tallies {
		t := &tallies[i]
		k := slices.Index(subjects, t.Subject)
		if k < 0 {
			k = len(subjects)
			subjects, keys = append(subjects, t.Subject), append(keys, f.counter(t.Subject))
		}
		kind := byte(t.Kind)
		if t.Read {
			kind |= readOnly
		}
		ops = append(ops, byte(k+1), kind)
		ops = binary.LittleEndian.AppendUint16(ops, t.Slot)
		ops = binary.LittleEndian.AppendUint32(ops, uint32(max(t.Window.Milliseconds(), 1)))
		ops = binary.LittleEndian.AppendUint16(ops, uint16(min(t.Need, 1<<16-1)))
		ops = binary.LittleEndian.AppendUint32(ops, t.Value)
		longest = max(longest, t.Window)
	}
	answer, err := f.counts(ctx, subjects, keys, longest, at.UnixMilli(), ops)
	if err != nil {
		return nil, err
	}
	if len(answer) != len(tallies) {
		return nil, fmt.Errorf("%d answers to %d counts", len(answer), len(tallies))
	}
	counted = make([]int, len(answer))
	for i, n := range answer {
		counted[i] = int(n)
	}
	return counted, nil
}

// counts runs the script; subjects that are counted together are noted under each of them in the same round trip, so that they can be
// forgotten.
func (f *Fleet) counts(ctx context.Context, subjects, keys []string, longest time.Duration, now int64, ops []byte) ([]int64, error) {
	if !slices.ContainsFunc(subjects, func(s string) bool { return strings.Contains(s, together) }) {
		return count.Run(ctx, f.db, keys, now, ops).Int64Slice()
	}
	p := f.db.Pipeline()
	done := count.EvalSha(ctx, p, keys, now, ops)
	for _, s := range subjects {
		if !strings.Contains(s, together) {
			continue
		}
		for part := range strings.SplitSeq(s, together) {
			p.SAdd(ctx, f.joint(part), s)
			p.PExpire(ctx, f.joint(part), max(2*longest, 24*time.Hour))
		}
	}
	_, _ = p.Exec(ctx) // the script's answer is what counts
	if err := done.Err(); err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		return count.Run(ctx, f.db, keys, now, ops).Int64Slice()
	}
	return done.Int64Slice()
}

// Forget drops what was counted about the subject, alone or together with others.
func (f *Fleet) Forget(ctx context.Context, subject string) (err error) {
	defer wrap.Err(&err, "redis: forget counts")
	with, err := f.db.SMembers(ctx, f.joint(subject)).Result()
	if err != nil {
		with = nil // of the wrong kind: it goes with the rest
	}
	keys := []string{f.counter(subject), f.joint(subject)}
	for _, s := range with {
		keys = append(keys, f.counter(s))
	}
	return f.db.Unlink(ctx, keys...).Err()
}

// UsedMemory is how many bytes the server uses for everything that it keeps.
func (f *Fleet) UsedMemory(ctx context.Context) (_ int64, err error) {
	defer wrap.Err(&err, "redis: memory")
	text, err := f.db.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(text, "\r\n") {
		if n, is := strings.CutPrefix(line, "used_memory:"); is {
			return strconv.ParseInt(n, 10, 64)
		}
	}
	return 0, errors.New("the server does not tell")
}
