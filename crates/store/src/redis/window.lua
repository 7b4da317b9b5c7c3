-- One step of up to 16 usages of quotas over windows: the twin of window::take and window::give_back in Rust. See
-- tollgate-limiter's `window` for what a slice is, and its `usage` for the text of a value.
--
-- KEYS[i]  a usage: the number of its latest slice, what was handed out in that and in those before it, and how often
--          permits were given back. A missing key has used nothing; it lives exactly until nothing of it counts.
-- ARGV     for every key one of
--          'c', limit, want, need and four edges of three calendar windows in seconds: takes permits
--          's', limit, want, need and the microseconds of a slice: takes permits of a sliding window
--          'g', slice, count, returns: gives permits back
-- reply    the server's time in microseconds, then for every key an error text or
--          {permits, slice, remaining, next free, reset, returns}, times in microseconds;
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

local function text(number)
  return string.format('%.0f', number)
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
    if not gap then break end
    index, count, place = index - (string.byte(gap) - GAP), tonumber(count), after
    if count > COUNT_MAX then break end
    usage.slices = usage.slices + 1
    usage.index[usage.slices], usage.count[usage.slices] = index, count
  end
  local returns = place and string.match(value, '^~?(%d*)$', place)
  if not returns or usage.slices == 0 or usage.index[1] - index > SLICES or usage.index[1] > COUNT_MAX then
    return nil, 'WRONGTYPE the value is not a usage'
  end
  usage.returns = tonumber(returns) or 0
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

local function take(key, limit, want, need, slice)
  local usage, failed = read(key)
  if not usage then return failed end
  local index, changed, latest = slice.index, false, usage.index[1]
  if latest then
    -- The product is taken only where it is exact.
    if latest > COUNT_MAX / slice.unit or latest * slice.unit - now > slice.patience then
      -- So far ahead that it was counted by a clock gone wrong: all counts as if it were now.
      local sum = 0
      for i = 1, usage.slices do sum = sum + usage.count[i] end
      usage = {slices = 1, index = {index}, count = {math.min(sum, COUNT_MAX)}, returns = usage.returns}
      changed = true
    elseif latest * slice.unit > now then
      -- The clock has stepped back, out of the latest slice: nothing until it is there again.
      local begin = latest * slice.unit
      return {0, index, 0, begin, math.max(slice.frees(latest), begin), usage.returns}
    else
      index = math.max(index, latest)
    end
  end

  local used, live = 0, 0
  while live < usage.slices and usage.index[live + 1] >= slice.oldest do
    live = live + 1
    used = used + usage.count[live]
  end
  local free = math.max(limit - used, 0)
  local count = math.min(want, free)
  if count < need then count = 0 end
  if count > 0 then
    changed = true
    if live == 0 then usage.returns = 0 end
    if live == 0 or usage.index[1] ~= index then
      table.insert(usage.index, 1, index)
      table.insert(usage.count, 1, 0)
      live = live + 1
    end
    usage.count[1] = usage.count[1] + count
    usage.slices = live
  end

  local sum, next_free = 0, now
  for i = 1, live do
    sum = sum + usage.count[i]
    if sum > math.max(limit - math.max(need, 1), 0) then
      next_free = slice.frees(usage.index[i])
      break
    end
  end
  local reset = now
  if live > 0 then reset = slice.frees(usage.index[1]) end
  if changed then
    failed = write(key, usage, 'PX', text(math.ceil((reset - now) / 1000)))
    if failed then return failed end
  end
  return {count, index, free - count, next_free, reset, usage.returns}
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
    local index, count, returns = tonumber(argument()), tonumber(argument()), tonumber(argument())
    return give_back(key, index, count, returns)
  end
  local limit, want, need = tonumber(argument()), tonumber(argument()), tonumber(argument())
  if kind == 's' then return take(key, limit, want, need, sliding(tonumber(argument()))) end
  local edges = {}
  for i = 1, 4 do edges[i] = tonumber(argument()) end
  local slice = calendar(edges)
  return slice and take(key, limit, want, need, slice) or 'FRAME'
end

local reply = {now}
for i = 1, #KEYS do
  reply[i + 1] = answer(KEYS[i])
end
return reply
