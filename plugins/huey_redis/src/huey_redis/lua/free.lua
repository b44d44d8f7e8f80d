-- KEYS 17: the key that is freed. ARGV: its value, 1 if it gets a new one, that and its time to live as in put.lua, the
-- most messages to make ready. Returns how many became ready, or nothing when the key has another value.
local key = KEYS[17]
local value, is_replaced, new, ttl, limit = unpack(ARGV)
if redis.call('GET', key) ~= value then
  return false
end
-- Removing comes first: a server that is out of memory then lets the rest pass.
redis.call('DEL', key)
if is_replaced == '1' then
  put(key, new, ttl)
end

local freed = 0
limit = tonumber(limit)
while freed < limit do
  -- Behind 255 come digits, and behind these a colon.
  local portion = math.min(limit - freed, PORTION)
  local entries = redis.call('ZRANGEBYLEX', WAITS, '[' .. key .. '\255', '(' .. key .. '\255:', 'LIMIT', 0, portion)
  for _, entry in ipairs(entries) do
    local id = string.sub(entry, #key + 18)
    redis.call('ZREM', WAITS, entry)
    local run = redis.call('HGET', RUN, id)
    -- Only on a server that evicts keys against our advice can a message have an entry and not wait.
    if run and string.sub(run, -#entry) == entry then
      local attempt, rank = parse(run)
      redis.call('ZREM', DUE, id)
      redis.call('HSET', RUN, id, idle(attempt, rank))
      redis.call('ZADD', READY, rank, id)
      freed = freed + 1
    end
  end
  if #entries < portion then
    break
  end
end
if freed > 0 then
  ring()
end
return freed
