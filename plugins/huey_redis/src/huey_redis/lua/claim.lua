-- ARGV: limit, lease (ms), max_deliveries.
-- The reply ends after REPLY_BYTES of data and at most STEP messages more; what is left stays ready.
local REPLY_BYTES, STEP = 4194304, 8
-- Returns the ms until something falls due (-1: nothing will) and the ids of dead letters that nobody has reported,
-- then id, receipt, data for each delivery.
if redis.call('EXISTS', PAUSED) == 1 then
  return {-1, {}}
end
local at, microseconds = now()
local ends = at + ARGV[2]

local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', at, 'LIMIT', 0, PORTION)
if #due > 0 then
  redis.call('ZREM', DUE, unpack(due))
  local runs = redis.call('HMGET', RUN, unpack(due))
  local ready = {}
  for i, id in ipairs(due) do
    local _, rank = parse(runs[i])
    stop_waiting(id, runs[i])
    ready[2 * i - 1], ready[2 * i] = rank, id
  end
  redis.call('ZADD', READY, unpack(ready))
end

local expired = redis.call('ZRANGEBYSCORE', LEASE, '-inf', at, 'LIMIT', 0, PORTION)
if #expired > 0 then
  redis.call('ZREM', LEASE, unpack(expired))
  for i, run in ipairs(redis.call('HMGET', RUN, unpack(expired))) do
    local id = expired[i]
    local attempt, rank = parse(run)
    if tonumber(attempt) >= tonumber(ARGV[3]) then
      local reason = 'abandoned: no outcome recorded in ' .. attempt .. (attempt == '1' and ' delivery' or ' deliveries')
      bury(at, id, attempt, rank, cjson.encode({reason = reason, detail = ''}))
      redis.call('ZADD', UNREPORTED, at, id)
    else
      redis.call('HSET', RUN, id, idle(attempt, rank))
      redis.call('ZADD', READY, rank, id)
    end
  end
end

local buried = redis.call('ZRANGEBYSCORE', UNREPORTED, '-inf', at, 'LIMIT', 0, PORTION)
if #buried > 0 then
  local named = {}
  for i, id in ipairs(buried) do
    named[2 * i - 1], named[2 * i] = ends, id
  end
  -- Removing comes first: a server that is out of memory then lets the rest pass.
  redis.call('ZREM', UNREPORTED, unpack(buried))
  redis.call('ZADD', UNREPORTED, unpack(named))
end

purge_unique_keys(at)

local popped = redis.call('ZPOPMIN', READY, ARGV[1])
if #popped == 0 then
  local wait = -1
  for _, set in ipairs({DUE, LEASE}) do
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if #first > 0 then
      local left = math.max(first[2] - at, 0)
      wait = wait < 0 and left or math.min(wait, left)
    end
  end
  if redis.call('EXISTS', DUE) == 0 then
    redis.call('DEL', BELL)
  end
  return {wait, buried}
end

local ids, data, bytes = {}, {}, 0
while #ids < #popped / 2 and bytes < REPLY_BYTES do
  local step = {}
  for i = #ids + 1, math.min(#ids + STEP, #popped / 2) do
    step[#step + 1] = popped[2 * i - 1]
  end
  for i, value in ipairs(redis.call('HMGET', MSG, unpack(step))) do
    ids[#ids + 1], data[#ids + 1] = step[i], value
    bytes = bytes + (value and #value or 0)
  end
end
for i = #ids + 1, #popped / 2 do
  redis.call('ZADD', READY, popped[2 * i], popped[2 * i - 1])
end

if redis.call('EXISTS', READY) == 1 then
  ring()
elseif redis.call('EXISTS', DUE) == 0 then
  redis.call('DEL', BELL)
end

local runs = redis.call('HMGET', RUN, unpack(ids))
-- The time keeps a receipt fresh even after a flush, which takes the counter with it.
local claim = string.format('%x-%x', microseconds, redis.call('INCR', SEQ))
local deliveries, leases, receipts = {0, buried}, {}, {}
for i, id in ipairs(ids) do
  -- Only a server that evicts keys against our advice can have lost the data.
  if data[i] then
    local attempt = parse(runs[i])
    local receipt = claim .. ':' .. attempt + 1 .. ':' .. popped[2 * i]
    local n = #leases
    leases[n + 1], leases[n + 2] = ends, id
    receipts[n + 1], receipts[n + 2] = id, receipt
    n = #deliveries
    deliveries[n + 1], deliveries[n + 2], deliveries[n + 3] = id, receipt, data[i]
  end
end
if #leases > 0 then
  redis.call('ZADD', LEASE, unpack(leases))
  redis.call('HSET', RUN, unpack(receipts))
end
return deliveries
