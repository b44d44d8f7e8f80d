-- What the scripts share that write messages.

-- Returns the id of the live message that keeps this one from being written. The first command that writes must be
-- one that a server without memory refuses: nothing is then written at all.
local function write(at, id, data, priority, due, claim, claim_for)
  local key = string.sub(claim, 2)
  local live = claim ~= '' and redis.call('HEXISTS', MSG, id) == 0 and holder(key, at)
  if live then
    return live
  end
  if redis.call('HSETNX', MSG, id, data) == 0 then
    return id
  end
  local rank = redis.call('INCR', SEQ) - priority * 2199023255552
  if tonumber(due) > at then
    redis.call('HSET', RUN, id, idle(0, rank))
    schedule(id, due)
  else
    redis.call('ZADD', READY, rank, id)
    ring()
  end
  if claim ~= '' then
    redis.call('HSET', UNIQUE, key, id)
    redis.call('HSET', HOLDS, id, claim)
    redis.call('ZREM', UNTIL, key)
    if claim_for ~= '' then
      redis.call('ZADD', UNTIL, at + claim_for, key)
      purge_unique_keys(at)
    end
  end
end
