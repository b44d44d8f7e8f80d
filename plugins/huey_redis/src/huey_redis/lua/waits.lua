-- What the scripts share that can end the wait of a message for a key.

-- Ends the wait of a message, if it has one, by its entry in RUN.
local function stop_waiting(id, run)
  local entry = run and string.match(run, '^w:%d+:%-?%d+:(.*)$')
  if entry then
    redis.call('ZREM', WAITS, entry)
    redis.call('HSET', RUN, id, idle(parse(run)))
  end
end
