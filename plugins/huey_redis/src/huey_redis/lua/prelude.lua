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

local function schedule(id, due)
  redis.call('ZADD', DUE, due, id)
  if redis.call('ZRANGE', DUE, 0, 0)[1] == id then
    ring()
  end
end

local function holder(key, at)
  local id = redis.call('HGET', UNIQUE, key)
  local ends = id and redis.call('ZSCORE', UNTIL, key)
  if id and (not ends or tonumber(ends) > at) then
    return id
  end
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

-- Returns the claim of a message on a unique key and the ms for which it lasts, or an empty text for each.
local function claim_of(id)
  local claim = redis.call('HGET', HOLDS, id) or ''
  if string.sub(claim, 1, 1) ~= 't' then
    return claim, ''
  end
  local key = string.sub(claim, 2)
  local ends = redis.call('HGET', UNIQUE, key) == id and redis.call('ZSCORE', UNTIL, key)
  return claim, string.format('%.0f', math.max((ends or 0) - now(), 0))
end

-- One row for each message: id, state, score, data, run, why, claim, its time.
local function row(rows, id, state, score)
  local data = redis.call('HGET', MSG, id)
  if data then
    local run, why = redis.call('HGET', RUN, id) or '', redis.call('HGET', WHY, id) or ''
    rows[#rows + 1] = {id, state, score, data, run, why, claim_of(id)}
  end
end
