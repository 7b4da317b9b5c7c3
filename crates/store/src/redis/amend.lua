-- Gives a bucket slots beyond its schedule, by the will of an operator: the twin of shared::amend in Rust.
--
-- KEYS[1]  a bucket; see grant.lua.
-- ARGV     the interval T, the life (b-1)T and the farthest that a next free slot can be ahead, each as whole
--          microseconds and a fraction; how many slots, or -1: a full bucket.
-- reply    1
local UNIT = 16777216
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local t, tf = tonumber(ARGV[1]), tonumber(ARGV[2])
local life, lifef = tonumber(ARGV[3]), tonumber(ARGV[4])
local ahead = tonumber(ARGV[5]) + 1
local slots = tonumber(ARGV[7])

local oldest, oldestf = now - life, 0
if lifef > 0 then oldest, oldestf = oldest - 1, UNIT - lifef end

local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then return value end
local next, nextf, void = oldest, oldestf, nil
if value then
  local slash = string.find(value, '/', 1, true)
  if slash then
    void = tonumber(string.sub(value, slash + 1))
    value = string.sub(value, 1, slash - 1)
  end
  local colon = string.find(value, ':', 1, true)
  next, nextf = tonumber(value), 0
  if colon then
    next, nextf = tonumber(string.sub(value, 1, colon - 1)), tonumber(string.sub(value, colon + 1))
  end
  if not next or not nextf then return redis.error_reply('WRONGTYPE the value is not a time') end
end
-- What any instance may have been told counts no more.
void = math.max(void or 0, next + 1, now + ahead)
if slots >= 0 then
  local f = tf * slots
  local carry = math.floor(f / UNIT)
  next, nextf = next - (t * slots + carry), nextf - (f - carry * UNIT)
  if nextf < 0 then next, nextf = next - 1, nextf + UNIT end
end
if slots < 0 or next < oldest or (next == oldest and nextf < oldestf) then next, nextf = oldest, oldestf end

local text = string.format('%.0f', next)
if nextf > 0 then text = text .. string.format(':%.0f', nextf) end
text = text .. string.format('/%.0f', void)
redis.call('SET', KEYS[1], text, 'PX', string.format('%.0f', math.ceil((void + life + 1 - now) / 1000)))
return 1
