-- ARGV: ids. Returns those that were made ready.
local at = now()

local function claims_again(id)
  local claim = redis.call('HGET', HOLDS, id)
  if not claim then
    return true
  end
  local key = string.sub(claim, 2)
  local live = holder(key, at)
  if not live and string.sub(claim, 1, 1) == 'u' then
    redis.call('HSET', UNIQUE, key, id)
    redis.call('ZREM', UNTIL, key)
  end
  return not live or live == id
end

local requeued = {}
for _, id in ipairs(ARGV) do
  local set = redis.call('ZSCORE', DEAD, id) and DEAD or redis.call('ZSCORE', DUE, id) and DUE
  if set and claims_again(id) then
    local run = redis.call('HGET', RUN, id)
    local _, rank = parse(run)
    stop_waiting(id, run)
    redis.call('ZREM', set, id)
    redis.call('ZREM', UNREPORTED, id)
    redis.call('HDEL', WHY, id)
    redis.call('HDEL', RUN, id)
    redis.call('ZADD', READY, rank, id)
    requeued[#requeued + 1] = id
  end
end
if #requeued > 0 then
  ring()
end
return requeued
