-- What the scripts share that know of messages which wait for a key of a data store.

-- Entries of one key stand together, in the order of their ranks: these are made positive, and equally long.
local function wait_entry(key, rank, id)
  return key .. '\255' .. string.format('%016.0f', rank + 4503599627370496) .. id
end

-- Returns the key for which a message waits, by its entry in RUN.
local function awaited(run)
  return run and string.match(run, '^w:%d+:%-?%d+:(.*)$')
end

local function wait_for(key, id, attempt, rank)
  redis.call('HSET', RUN, id, 'w:' .. attempt .. ':' .. rank .. ':' .. key)
  redis.call('ZADD', WAITS, 0, wait_entry(key, rank, id))
end

-- Ends the wait of a message, if it waits.
local function stop_waiting(id, run)
  local key = awaited(run)
  if key then
    local attempt, rank = parse(run)
    redis.call('ZREM', WAITS, wait_entry(key, rank, id))
    redis.call('HSET', RUN, id, idle(attempt, rank))
  end
end
