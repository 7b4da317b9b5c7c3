-- The steps that Traefik 3.7 takes for one request, in its arithmetic and with its clock.
--
-- KEYS[1]  a bucket: a hash of when it was last looked at, and the tokens that were in it.
-- ARGV     tokens per microsecond, burst, seconds to live, the time of whoever asks, the longest wait
-- reply    true, the wait in microseconds, the tokens: each as text
local refill, burst, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now, longest = tonumber(ARGV[4]), tonumber(ARGV[5])

local last, tokens = 0, 0
local kept = redis.call('HGETALL', KEYS[1])
if #kept == 4 then
  last, tokens = tonumber(kept[2]), tonumber(kept[4])
end

local elapsed = math.max(now - last, 0)
tokens = math.min(tokens + elapsed * refill, burst) - 1
local wait = 0
if tokens < 0 then
  wait = -tokens / refill
  if wait > longest then tokens = math.min(tokens + 1, burst) end
end

-- Whoever's clock is late takes the bucket back in time.
redis.call('HSET', KEYS[1], 'last', now, 'tokens', tokens)
redis.call('EXPIRE', KEYS[1], ttl)
return {'true', tostring(wait), tostring(tokens)}
