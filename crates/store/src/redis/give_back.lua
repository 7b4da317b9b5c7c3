-- Takes back slots that an instance did not need: the twin of shared::give_back in Rust. They come back if they are the
-- last that were handed out, and only once.
--
-- KEYS[i]  a bucket; see grant.lua.
-- ARGV     five numbers per bucket: the first slot given back and the first after the last, each as whole microseconds
--          and a fraction; how long a slot lives, in microseconds, rounded up.
-- reply    for every bucket 1 if its slots came back, else 0.
local function parse(text)
  local colon = string.find(text, ':', 1, true)
  if colon then return tonumber(string.sub(text, 1, colon - 1)), tonumber(string.sub(text, colon + 1)) end
  return tonumber(text), 0
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function give_back(key, at)
  local start, startf = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local stop, stopf = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local value = redis.pcall('GET', key)
  if type(value) ~= 'string' then return 0 end
  local void
  local slash = string.find(value, '/', 1, true)
  if slash then
    void = tonumber(string.sub(value, slash + 1))
    value = string.sub(value, 1, slash - 1)
  end
  local next, nextf = parse(value)
  if next ~= stop or nextf ~= stopf then return 0 end
  if void and void >= stop then return 0 end
  void = stop
  if stopf > 0 then void = void + 1 end
  local text = string.format('%.0f', start)
  if startf > 0 then text = text .. string.format(':%.0f', startf) end
  text = text .. string.format('/%.0f', void)
  local ttl = math.max(math.ceil((void + tonumber(ARGV[at + 5]) - now) / 1000), 1)
  local set = redis.pcall('SET', key, text, 'PX', string.format('%.0f', ttl))
  if type(set) == 'table' and set.err then return 0 end
  return 1
end

local reply = {}
for i = 1, #KEYS do
  reply[i] = give_back(KEYS[i], (i - 1) * 5)
end
return reply
