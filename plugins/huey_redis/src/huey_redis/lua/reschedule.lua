-- ARGV: due (ms); then ids. Returns those that were ready or scheduled.
local at, due = now(), tonumber(ARGV[1])
local changed = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local run = redis.call('HGET', RUN, id)
  local attempt, rank = parse(run)
  local ready_rank = redis.call('ZSCORE', READY, id)
  if ready_rank or redis.call('ZSCORE', DUE, id) then
    rank = ready_rank or rank
    stop_waiting(id, run)
    redis.call('ZREM', ready_rank and READY or DUE, id)
    redis.call('HSET', RUN, id, idle(attempt, rank))
    if due > at then
      schedule(id, due)
    else
      redis.call('ZADD', READY, rank, id)
      ring()
    end
    changed[#changed + 1] = id
  end
end
return changed
