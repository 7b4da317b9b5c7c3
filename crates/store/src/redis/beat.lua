-- An instance says that it is there, and learns how many are.
--
-- KEYS[1]  a sorted set: instances, scored with the server's time in milliseconds at which each was last heard of.
-- KEYS[2]  what an operator did last: told on.
-- ARGV     the instance; after how many milliseconds one that is silent is held to be gone.
-- reply    how many are there and what was done last, or an error text.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local silence = tonumber(ARGV[2])

local function text(number)
  return string.format('%.0f', number)
end

-- Whoever was heard of in the future was so before this server's clock stepped back, and says so again if it lives.
for _, range in ipairs({{'-inf', text(now - silence)}, {'(' .. text(now), '+inf'}}) do
  local gone = redis.pcall('ZREMRANGEBYSCORE', KEYS[1], range[1], range[2])
  if type(gone) == 'table' then return gone.err or 'ERR unexpected reply to ZREMRANGEBYSCORE' end
end
local added = redis.pcall('ZADD', KEYS[1], text(now), ARGV[1])
if type(added) == 'table' then return added.err or 'ERR unexpected reply to ZADD' end
redis.call('PEXPIRE', KEYS[1], text(2 * silence))
local change = redis.pcall('GET', KEYS[2])
if type(change) == 'table' then return change.err or 'ERR unexpected reply to GET' end
return {redis.call('ZCARD', KEYS[1]), change}
