-- One step of up to 16 buckets: the twin of schedule::grant in Rust. For every key it hands out between `need` and
-- `want` slots, or none, and says which; see tollgate-limiter's `schedule` for what a slot is.
--
-- KEYS[i]  a bucket. Its value is the time of its next free slot; a missing key is a full bucket, and it lives
--          exactly until the bucket is full again.
-- ARGV     nine numbers per key: the interval T, the life (b-1)T and the farthest that a next free slot can be ahead,
--          each as whole microseconds and a fraction; the longest delay in microseconds; want; need.
-- reply    the server's time in microseconds, then for every key {slots, first slot, its fraction} or an error text.
--
-- Numbers in Lua are doubles, exact below 2^53. A time is therefore two of them: microseconds (51 bits today) and a
-- fraction in units of 2^-24 microseconds. Only what Redis 6 and 7, Valkey, KeyDB and Dragonfly share is used.
local UNIT = 16777216

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

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function grant(key, at)
  local t, tf = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local life, lifef = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local ahead, aheadf = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local horizon = now + tonumber(ARGV[at + 7])
  local want, need = tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9])

  local value = redis.pcall('GET', key)
  if type(value) == 'table' then return value.err or 'ERR unexpected reply to GET' end

  local function remember(next, nextf)
    local full, fullf = plus(next, nextf, life, lifef)
    if fullf > 0 then full = full + 1 end
    local text = string.format('%.0f', next)
    if nextf > 0 then text = text .. string.format(':%.0f', nextf) end
    local set = redis.pcall('SET', key, text, 'PX', string.format('%.0f', math.ceil((full - now) / 1000)))
    return type(set) == 'table' and set.err
  end

  -- The oldest slot that may still be spent: now - life.
  local base, basef = now - life, 0
  if lifef > 0 then base, basef = base - 1, UNIT - lifef end
  if value then
    local colon = string.find(value, ':', 1, true)
    local next, nextf = tonumber(value), 0
    if colon then
      next, nextf = tonumber(string.sub(value, 1, colon - 1)), tonumber(string.sub(value, colon + 1))
    end
    if not next or not nextf then return 'WRONGTYPE the value is not a time' end
    if later(next, nextf, now + ahead, aheadf) then
      -- Farther than this quota can bring about: it was loosened, or this server's clock stepped back.
      next, nextf = now + ahead, aheadf
      local failed = remember(next, nextf)
      if failed then return failed end
    end
    if later(next, nextf, base, basef) then base, basef = next, nextf end
  end

  local count = 0
  if not later(base, basef, horizon, 0) then
    -- The quotient is a little off at most; the exact sums below put it right.
    count = math.floor((horizon - base - basef / UNIT) / (t + tf / UNIT))
    if count > want then count = want end
    local step, stepf = times(t, tf, count)
    local v, vf = plus(base, basef, step, stepf)
    while count > 0 and later(v, vf, horizon, 0) do
      count = count - 1
      step, stepf = times(t, tf, count)
      v, vf = plus(base, basef, step, stepf)
    end
    while count < want and not later(v, vf, horizon, 0) do
      count = count + 1
      v, vf = plus(v, vf, t, tf)
    end
  end
  if count < need then
    local step, stepf = times(t, tf, need - 1)
    local first, firstf = plus(base, basef, step, stepf)
    return {0, first, firstf}
  end

  local step, stepf = times(t, tf, count)
  local next, nextf = plus(base, basef, step, stepf)
  local failed = remember(next, nextf)
  if failed then return failed end
  return {count, base, basef}
end

local reply = {now}
for i = 1, #KEYS do
  reply[i + 1] = grant(KEYS[i], (i - 1) * 9)
end
return reply
