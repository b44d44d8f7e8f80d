-- ARGV: ids. Returns those that were there.
local deleted = {}
for _, id in ipairs(ARGV) do
  if redis.call('HDEL', MSG, id) == 1 then
    for _, set in ipairs({READY, DUE, LEASE, DEAD, UNREPORTED}) do
      redis.call('ZREM', set, id)
    end
    local claim = redis.call('HGET', HOLDS, id)
    if claim then
      redis.call('HDEL', HOLDS, id)
      unclaim(id, claim)
    end
    stop_waiting(id, redis.call('HGET', RUN, id))
    redis.call('HDEL', RUN, id)
    redis.call('HDEL', WHY, id)
    deleted[#deleted + 1] = id
  end
end
return deleted
