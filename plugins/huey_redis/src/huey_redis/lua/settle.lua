-- KEYS 17 and on: the keys of results, of groups, and of what is waited for. ARGV: n; then n ops, n ids, n receipts; then what each op takes, in order:
--   ack:     result (see put_result), what follows (see follow.lua)
--   retry:   data, delay (ms), 1 to keep the number of attempts
--   release: delay (ms), the index among those behind the queue's of a key that is waited for (0: none), its value
--   bury:    why (JSON), result, what follows
-- Returns n times 1, or 0 for a receipt that is stale.
local n = tonumber(ARGV[1])
local at = now()
local runs = redis.call('HMGET', RUN, unpack(ARGV, n + 2, 2 * n + 1))
local effects, used, ended, acked = {}, {}, {}, {}
for i = 1, n do
  local id = ARGV[1 + n + i]
  effects[i] = runs[i] == ARGV[1 + 2 * n + i] and not used[id] and 1 or 0
  if effects[i] == 1 then
    used[id] = true
    ended[#ended + 1] = id
    if ARGV[1 + i] == 'ack' then
      acked[#acked + 1] = id
    end
  end
end

-- Removing comes first: a server that is out of memory then lets the rest pass.
if #ended > 0 then
  redis.call('ZREM', LEASE, unpack(ended))
end
if #acked > 0 then
  redis.call('HDEL', MSG, unpack(acked))
  redis.call('HDEL', RUN, unpack(acked))
  if redis.call('EXISTS', HOLDS) == 1 then
    for i, claim in ipairs(redis.call('HMGET', HOLDS, unpack(acked))) do
      if claim then
        redis.call('HDEL', HOLDS, acked[i])
        unclaim(acked[i], claim)
      end
    end
  end
end

cursor = 3 * n + 1

-- A result is the index of its key among those behind the queue's (0: none), the value and the time to live as in put.lua.
local function put_result(index, value, ttl)
  if index ~= '0' then
    put(KEYS[16 + index], value, ttl)
  end
end

for i = 1, n do
  local op, id, receipt = ARGV[1 + i], ARGV[1 + n + i], ARGV[1 + 2 * n + i]
  local effective = effects[i] == 1
  if op == 'ack' then
    local index, value, ttl, following = take(4)
    if effective then
      put_result(index, value, ttl)
    end
    if following ~= '0' then
      follow(at, effective, following)
    end
  elseif op == 'retry' then
    local data, delay, keep = take(3)
    if effective then
      local attempt, rank = parse(receipt)
      redis.call('HSET', MSG, id, data)
      redis.call('HSET', RUN, id, idle(keep == '1' and attempt or 0, rank))
      if delay == '0' then
        redis.call('ZADD', READY, rank, id)
        ring()
      else
        schedule(id, at + delay)
      end
    end
  elseif op == 'release' then
    local delay, index, value = take(3)
    if effective then
      local attempt, rank = parse(receipt)
      local run, key = idle(attempt - 1, rank), KEYS[16 + index]
      if delay == '0' or (index ~= '0' and redis.call('GET', key) ~= value) then
        redis.call('HSET', RUN, id, run)
        redis.call('ZADD', READY, rank, id)
        ring()
      else
        if index ~= '0' then
          -- Entries of one key stand together, in the order of their ranks: these are made positive, and equally long.
          local entry = key .. '\255' .. string.format('%016.0f', rank + 4503599627370496) .. id
          run = 'w' .. string.sub(run, 2) .. ':' .. entry
          redis.call('ZADD', WAITS, 0, entry)
        end
        redis.call('HSET', RUN, id, run)
        schedule(id, at + delay)
      end
    end
  else
    local why, index, value, ttl, following = take(5)
    if effective then
      local attempt, rank = parse(receipt)
      bury(at, id, attempt, rank, why)
      put_result(index, value, ttl)
    end
    if following ~= '0' then
      follow(at, effective, following)
    end
  end
end
return effects
