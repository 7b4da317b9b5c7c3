-- One step of up to 16 usages of quotas over windows: the twin of window::take and window::give_back in Rust. See
-- tollgate-limiter's `window` for what a slice is, and its `usage` for the text of a value.
--
-- KEYS[i]  a usage: the number of its latest slice, what was handed out in that and in those before it, and how often
--          permits were given back. A missing key has used nothing; it lives exactly until nothing of it counts.
-- ARGV     for every key one of
--          'c', limit, want, need, hint, and four edges of three calendar windows in seconds: takes permits
--          's', limit, want, need, hint, and the microseconds of a slice: takes permits of a sliding window
--          'g', slice, count, returns: gives permits back
--          where a hint is four numbers: a slice, the count in it, the count in all, returns
-- reply    the server's time in microseconds, then for every key an error text or
--          {permits, slice, remaining, next free, reset, hint, 1 if healed}, times in microseconds;
--          'FRAME' if the time is in none of the calendar windows: nothing was done; or
--          {0 gone, 1 done, 2 not the number of returns; the number of returns} where permits were given back.
--
-- Numbers in Lua are doubles, exact up to 2^53. Only what Redis 6 and 7, Valkey, KeyDB and Dragonfly share is used.
local SLICES, STEP_MAX, COUNT_MAX, GAP = 60, 60000000, 9007199254740992, 64

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local at = 0
local function argument()
  at = at + 1
  return ARGV[at]
end

local function number()
  return tonumber(argument())
end

local function text(n)
  return string.format('%.0f', n)
end

-- The usage at a key, from the latest slice to the oldest; or nothing and the reason.
local function read(key)
  local value = redis.pcall('GET', key)
  if type(value) == 'table' then return nil, value.err or 'ERR unexpected reply to GET' end
  local usage = {slices = 0, index = {}, count = {}, returns = 0}
  if not value then return usage end
  local latest, place = string.match(value, '^(%d+)()')
  local index = tonumber(latest or 'none')
  while index do
    local gap, count, after = string.match(value, '^([@-|])(%d+)()', place)
    count = tonumber(count or 'none')
    -- The latest slice comes first, and only once.
    if not count or count > COUNT_MAX or (gap == '@') ~= (usage.slices == 0) then break end
    index, place = index - (string.byte(gap) - GAP), after
    usage.slices = usage.slices + 1
    usage.index[usage.slices], usage.count[usage.slices] = index, count
  end
  local rest = place and string.sub(value, place)
  local returns = rest == '' and '0' or rest and string.match(rest, '^~(%d+)$')
  if not returns or usage.slices == 0 or usage.index[1] - index > SLICES or usage.index[1] > COUNT_MAX then
    return nil, 'WRONGTYPE the value is not a usage'
  end
  usage.returns = tonumber(returns)
  return usage
end

-- What went wrong, or nothing.
local function write(key, usage, option, argument)
  local parts, before = {text(usage.index[1])}, usage.index[1]
  for i = 1, usage.slices do
    parts[i + 1] = string.char(GAP + before - usage.index[i]) .. text(usage.count[i])
    before = usage.index[i]
  end
  if usage.returns > 0 then parts[#parts + 1] = '~' .. text(usage.returns) end
  local set
  if argument then
    set = redis.pcall('SET', key, table.concat(parts), option, argument)
  else
    set = redis.pcall('SET', key, table.concat(parts), option)
  end
  return type(set) == 'table' and set.err
end

local function calendar(edges)
  for i = 1, 3 do
    local start, stop = edges[i] * 1000000, edges[i + 1] * 1000000
    if start <= now and now < stop then
      local function frees() return stop end
      return {index = edges[i], oldest = edges[i], unit = 1000000, patience = STEP_MAX, frees = frees}
    end
  end
end

local function sliding(slice)
  -- Exact: a quotient of such numbers is not rounded over a whole one.
  local index = math.floor(now / slice)
  local function frees(i) return (i + SLICES + 1) * slice end
  local patience = math.min(STEP_MAX, SLICES * slice)
  return {index = index, oldest = math.max(index - SLICES, 0), unit = slice, patience = patience, frees = frees}
end

-- How many slices count, and how many permits were handed out in them.
local function live(usage, oldest)
  local slices, used = 0, 0
  while slices < usage.slices and usage.index[slices + 1] >= oldest do
    slices = slices + 1
    used = used + usage.count[slices]
  end
  return slices, math.min(used, COUNT_MAX)
end

-- Leaves the slices that count.
local function forget(usage, slices)
  usage.slices = slices
  if slices == 0 then usage.returns = 0 end
end

local function insert(usage, place, index, count)
  table.insert(usage.index, place, index)
  table.insert(usage.count, place, count)
  usage.slices = usage.slices + 1
end

-- Takes in what somebody remembers better than the usage of so many slices with so many permits.
local function heal(usage, slice, hint, slices, used)
  if hint.index < slice.oldest or hint.index > math.floor(now / slice.unit) then return false end
  if slices > 0 and hint.returns < usage.returns or hint.used <= used then return false end
  local place = 1
  while place <= slices and usage.index[place] > hint.index do place = place + 1 end
  local known = place <= slices and usage.index[place] == hint.index
  if known and usage.count[place] >= hint.count then return false end
  forget(usage, slices)
  if not known then insert(usage, place, hint.index, 0) end
  usage.count[place] = usage.count[place] + (hint.used - used)
  usage.returns = hint.returns
  return true
end

local function answered(count, index, remaining, next_free, reset, usage, slices, used, healed)
  local latest, most, returns = 0, 0, 0
  if slices > 0 then latest, most, returns = usage.index[1], usage.count[1], usage.returns end
  return {count, index, remaining, next_free, reset, latest, most, used, returns, healed and 1 or 0}
end

local function take(key, limit, want, need, hint, slice)
  local usage, failed = read(key)
  if not usage then return failed end
  local changed, latest = false, usage.index[1]
  if latest then
    -- The product is taken only where it is exact.
    if latest > COUNT_MAX / slice.unit or latest * slice.unit - now > slice.patience then
      -- So far ahead that it was counted by a clock gone wrong: all counts as if it were now.
      local _, used = live(usage, 0)
      usage = {slices = 1, index = {slice.index}, count = {used}, returns = usage.returns}
      changed = true
    elseif latest * slice.unit > now then
      -- The clock has stepped back, out of the latest slice: nothing until it is there again.
      local begin = latest * slice.unit
      local slices, used = live(usage, slice.oldest)
      return answered(0, slice.index, 0, begin, math.max(slice.frees(latest), begin), usage, slices, used, false)
    end
  end
  local slices, used = live(usage, slice.oldest)
  local healed = heal(usage, slice, hint, slices, used)
  if healed then slices, used = live(usage, slice.oldest) end

  local free = math.max(limit - used, 0)
  local count = math.min(want, free)
  if count < need then count = 0 end
  -- A later beginning of the same window, by the calendar of another instance, stays its beginning.
  local index = slice.index
  if slices > 0 and usage.index[1] > index then index = usage.index[1] end
  if count > 0 then
    forget(usage, slices)
    if slices == 0 or usage.index[1] ~= index then insert(usage, 1, index, 0) end
    usage.count[1] = usage.count[1] + count
    slices, used = usage.slices, used + count
  end

  local sum, next_free, reset = 0, now, now
  for i = 1, slices do
    sum = sum + usage.count[i]
    if sum > math.max(limit - math.max(need, 1), 0) then
      next_free = slice.frees(usage.index[i])
      break
    end
  end
  if slices > 0 then reset = slice.frees(usage.index[1]) end
  if changed or healed or count > 0 then
    failed = write(key, usage, 'PX', text(math.ceil((reset - now) / 1000)))
    if failed then return failed end
  end
  return answered(count, index, free - count, next_free, reset, usage, slices, used, healed)
end

local function give_back(key, index, count, returns)
  local usage, failed = read(key)
  if not usage then return failed end
  for i = 1, usage.slices do
    if usage.index[i] == index then
      if usage.returns ~= returns then return {2, usage.returns} end
      if usage.count[i] < count then return {0, usage.returns} end
      usage.count[i] = usage.count[i] - count
      -- The latest slice stays, because with it the number of returns would be forgotten.
      if usage.count[i] == 0 and i > 1 then
        table.remove(usage.index, i)
        table.remove(usage.count, i)
        usage.slices = usage.slices - 1
      end
      usage.returns = usage.returns + 1
      failed = write(key, usage, 'KEEPTTL')
      return failed or {1, usage.returns}
    end
  end
  return {0, usage.returns}
end

local function answer(key)
  local kind = argument()
  if kind == 'g' then
    local index, count, returns = number(), number(), number()
    return give_back(key, index, count, returns)
  end
  local limit, want, need = number(), number(), number()
  local hint = {}
  hint.index, hint.count, hint.used, hint.returns = number(), number(), number(), number()
  if kind == 's' then return take(key, limit, want, need, hint, sliding(number())) end
  local slice = calendar({number(), number(), number(), number()})
  return slice and take(key, limit, want, need, hint, slice) or 'FRAME'
end

local reply = {now}
for i = 1, #KEYS do
  reply[i + 1] = answer(KEYS[i])
end
return reply
