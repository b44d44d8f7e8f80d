-- ARGV: ten for each message: six as in write.lua, with the claim that it takes now; the claim that it was written with,
-- attempt, when it was buried (ms; '' if it was not), why (JSON). Returns what write.lua returns.
local at = now()
local before = {}
for i = 1, #ARGV, 10 do
  local id = ARGV[i]
  local claim, attempt, buried, why = unpack(ARGV, i + 6, i + 9)
  local live = write(at, unpack(ARGV, i, i + 5))
  if not live then
    if claim ~= '' then
      redis.call('HSET', HOLDS, id, claim)
    end
    local rank = redis.call('ZSCORE', READY, id)
    if buried ~= '' then
      redis.call('ZREM', READY, id)
      redis.call('ZADD', DEAD, math.min(buried, at), id)
      redis.call('HSET', WHY, id, why)
    end
    if attempt ~= '0' or buried ~= '' then
      if not rank then
        _, rank = parse(redis.call('HGET', RUN, id))
      end
      redis.call('HSET', RUN, id, idle(attempt, rank))
    end
  end
  before[#before + 1] = live or ''
end
return before
