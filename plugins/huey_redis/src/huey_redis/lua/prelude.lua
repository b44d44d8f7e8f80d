-- What the scripts of a queue share. KEYS are those of huey_redis.keys.QUEUE_PARTS, in that order.
local MSG, READY, DUE, LEASE, RUN, DEAD, WHY, UNIQUE, UNTIL, HOLDS, SEQ, BELL, PAUSED, UNREPORTED, WAITS, GROUPS =
  unpack(KEYS, 1, 16)

-- The most entries that one script call moves by the clock.
local PORTION = 100

-- Returns the time in ms, and in microseconds.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end

-- One token wakes one waiting consumer; that one rings again when its claim leaves something behind. Nobody can take
-- the token before the script ends, so once is enough.
local rung = false
local function ring()
  if not rung and redis.call('LLEN', BELL) == 0 then
    redis.call('LPUSH', BELL, '')
  end
  rung = true
end

-- Returns the attempt and the rank. A message that was only written and is ready has no entry: its rank is its score.
-- Any other's can be missing only on a server that evicts keys against our advice; the message then counts as never
-- delivered, and comes before all others of priority 0.
local function parse(run)
  if not run then
    return '0', '0'
  end
  return string.match(run, '^[^:]+:(%d+):(%-?%d+)')
end

-- Ranks pass the range in which Lua prints numbers exactly by itself.
local function idle(attempt, rank)
  return '-:' .. attempt .. ':' .. (type(rank) == 'number' and string.format('%.0f', rank) or rank)
end

-- A claim on a unique key is written 'u' and the key (until the message is settled) or 't' and the key (for a time).
local function unclaim(id, claim)
  local key = string.sub(claim, 2)
  if string.sub(claim, 1, 1) == 'u' and redis.call('HGET', UNIQUE, key) == id then
    redis.call('HDEL', UNIQUE, key)
  end
end

local function purge_unique_keys(at)
  local keys = redis.call('ZRANGEBYSCORE', UNTIL, '-inf', at, 'LIMIT', 0, PORTION)
  if #keys > 0 then
    redis.call('ZREM', UNTIL, unpack(keys))
    redis.call('HDEL', UNIQUE, unpack(keys))
  end
end

-- The scores of the dead rise strictly, so that they can be listed in the order of their burials.
local function bury(at, id, attempt, rank, why)
  local last = redis.call('ZRANGE', DEAD, -1, -1, 'WITHSCORES')[2]
  redis.call('ZADD', DEAD, last and math.max(at, last + 0.001) or at, id)
  redis.call('HSET', WHY, id, why)
  redis.call('HSET', RUN, id, idle(attempt, rank))
  local claim = redis.call('HGET', HOLDS, id)
  if claim then
    unclaim(id, claim)
  end
end
