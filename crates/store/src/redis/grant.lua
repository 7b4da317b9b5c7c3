-- One step of up to 16 buckets: the twin of shared::step in Rust. For every key it hands out between `need` and `want`
-- slots to those who wait, or none, and lends some to keep; see tollgate-limiter's `schedule` and `shared` for what that
-- means.
--
-- KEYS[i]  a bucket. Its value is the time of its next free slot and, behind a slash, up to where slots were given
--          back; a missing key is a full bucket, and it lives exactly until nobody would miss it.
--          One key more than buckets: the fence.
-- ARGV[1]  how many buckets.
-- ARGV     fourteen numbers per bucket: the interval T, the life (b-1)T and the farthest that a next free slot can be
--          ahead, each as whole microseconds and a fraction; the longest delay in microseconds; want; need; how many to
--          lend, the life they need and how far ahead they may be, in microseconds; the next free slot as the caller
--          knows it, as microseconds (0: not at all) and a fraction.
-- ARGV     with a fence: the id of this server's run, and for how long nothing is handed out after a run or a fence was
--          lost, in microseconds.
-- reply    the server's time in microseconds, then for every bucket {slots, first slot, its fraction, slots lent, next
--          free slot, its fraction, 1 if the caller knew what was lost here} or an error text.
--
-- Numbers in Lua are doubles, exact below 2^53. A time is therefore two of them: microseconds (51 bits today) and a
-- fraction in units of 2^-24 microseconds. Only what Redis 6 and 7, Valkey, KeyDB and Dragonfly share is used.
local UNIT = 16777216
-- The farthest ahead that a slot is lent, in microseconds.
local AHEAD_MAX = 500000

local function plus(a, af, b, bf)
  local f = af + bf
  if f >= UNIT then return a + b + 1, f - UNIT end
  return a + b, f
end

local function times(a, af, n)
  local f = af * n
  local carry = math.floor(f / UNIT)
  return a * n + carry, f - carry * UNIT
end

local function later(a, af, b, bf)
  return a > b or (a == b and af > bf)
end

-- How many slots, t apart, lie from `from` to `to`: at most `most`.
local function slots(from, fromf, to, t, tf, most)
  if later(from, fromf, to, 0) then return 0 end
  -- The quotient is a little off at most; the exact sums below put it right.
  local count = math.floor((to - from - fromf / UNIT) / (t + tf / UNIT))
  if count > most then count = most end
  local step, stepf = times(t, tf, count)
  local v, vf = plus(from, fromf, step, stepf)
  while count > 0 and later(v, vf, to, 0) do
    count = count - 1
    step, stepf = times(t, tf, count)
    v, vf = plus(from, fromf, step, stepf)
  end
  while count < most and not later(v, vf, to, 0) do
    count = count + 1
    v, vf = plus(v, vf, t, tf)
  end
  return count
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local buckets = tonumber(ARGV[1])
local fence = 0
if #KEYS > buckets then
  local run, rest = ARGV[#ARGV - 1], tonumber(ARGV[#ARGV])
  local value = redis.call('GET', KEYS[#KEYS])
  local known = value and string.match(value, '^(.*):%d+$')
  if known == run then
    fence = tonumber(string.match(value, '(%d+)$'))
  else
    fence = now + rest
    redis.call('SET', KEYS[#KEYS], run .. ':' .. string.format('%.0f', fence))
  end
end

local function grant(key, at)
  local t, tf = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local life, lifef = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local ahead, aheadf = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local horizon = now + tonumber(ARGV[at + 7])
  local want, need = tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9])
  local lend, lives, lends = tonumber(ARGV[at + 10]), tonumber(ARGV[at + 11]), tonumber(ARGV[at + 12])
  local hint, hintf = tonumber(ARGV[at + 13]), tonumber(ARGV[at + 14])

  local value = redis.pcall('GET', key)
  if type(value) == 'table' then return value.err or 'ERR unexpected reply to GET' end

  -- What is remembered here.
  local was, wasf, void
  if value then
    local slash = string.find(value, '/', 1, true)
    if slash then
      void = tonumber(string.sub(value, slash + 1))
      value = string.sub(value, 1, slash - 1)
      if not void then return 'WRONGTYPE the value is not a time' end
    end
    local colon = string.find(value, ':', 1, true)
    was, wasf = tonumber(value), 0
    if colon then
      was, wasf = tonumber(string.sub(value, 1, colon - 1)), tonumber(string.sub(value, colon + 1))
    end
    if not was or not wasf then return 'WRONGTYPE the value is not a time' end
  end

  -- What is known by now: the latest of what is remembered, the hint and the fence, none of them farther ahead than
  -- this quota can bring about. It was loosened, or this server's clock stepped back.
  local next, nextf = was, wasf
  local hinted = hint > 0 and not (void and not later(hint, hintf, void, 0))
  if hinted and (not next or later(hint, hintf, next, nextf)) then next, nextf = hint, hintf end
  if next and later(next, nextf, now + ahead, aheadf) then next, nextf = now + ahead, aheadf end

  -- The oldest slot that may still be spent: now - life.
  local base, basef = now - life, 0
  if lifef > 0 then base, basef = base - 1, UNIT - lifef end
  local oldest, oldestf = base, basef
  -- The caller knows more than this server: it has lost something, and he may not know all of it. What others were
  -- granted and have not told yet is at most so far ahead.
  local healed = 0
  if hinted and next and later(next, nextf, oldest, oldestf)
    and (not was or later(next, nextf, was, wasf)) and not later(next, nextf, hint, hintf) then
    healed = 1
    local unheard, unheardf = now + life, lifef
    if life >= AHEAD_MAX then unheard, unheardf = now + AHEAD_MAX, 0 end
    if later(horizon, 0, unheard, unheardf) then unheard, unheardf = horizon, 0 end
    if later(unheard, unheardf, next, nextf) then next, nextf = unheard, unheardf end
  end
  if fence > 0 and (not next or later(fence, 0, next, nextf)) then next, nextf = fence, 0 end

  if next and later(next, nextf, base, basef) then base, basef = next, nextf end

  local count = slots(base, basef, horizon, t, tf, want)
  local first, firstf = base, basef
  if count < need then
    local step, stepf = times(t, tf, need - 1)
    first, firstf = plus(base, basef, step, stepf)
    count = 0
  end
  local step, stepf = times(t, tf, count)
  local free, freef = plus(base, basef, step, stepf)

  local lent = 0
  local lease, leasef = plus(oldest, oldestf, lives, 0)
  if later(free, freef, lease, leasef) then lease, leasef = free, freef end
  if lend > 0 and (count >= want or lends > 0) then
    if lends > 0 then
      lent = slots(lease, leasef, now + lends, t, tf, lend)
    else
      -- Four times as many as are wanted are as good as all there are.
      lent = math.floor(slots(lease, leasef, now, t, tf, lend * 4) / 4)
    end
  end
  if lent > 0 then
    local more, moref = times(t, tf, lent)
    free, freef = plus(lease, leasef, more, moref)
  end

  -- Nothing was handed out: what is remembered is what was known, if that is news.
  local put, putf = free, freef
  if count + lent == 0 then
    put, putf = next, nextf
    if not next or (was == next and wasf == nextf) then put = nil end
  end
  if put then
    if void and later(put, putf, void, 0) then void = nil end
    local full, fullf = plus(put, putf, life, lifef)
    if fullf > 0 then full = full + 1 end
    local text = string.format('%.0f', put)
    if putf > 0 then text = text .. string.format(':%.0f', putf) end
    if void then
      full = math.max(full, void + life + 1)
      text = text .. string.format('/%.0f', void)
    end
    local ttl = math.max(math.ceil((full - now) / 1000), 1)
    local set = redis.pcall('SET', key, text, 'PX', string.format('%.0f', ttl))
    if type(set) == 'table' and set.err then return set.err end
  end
  return {count, first, firstf, lent, free, freef, healed}
end

local reply = {now}
for i = 1, buckets do
  reply[i + 1] = grant(KEYS[i], (i - 1) * 14 + 1)
end
return reply
