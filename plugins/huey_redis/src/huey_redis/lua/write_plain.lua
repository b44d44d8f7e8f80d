-- One message that is due now and has no unique key: what producers do all day, so it takes the fewest keys.
-- KEYS: msg, ready, seq, bell. ARGV: id, priority, data. Returns the id when it is live already.
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[3]) == 0 then
  return ARGV[1]
end
redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[3]) - ARGV[2] * 2199023255552, ARGV[1])
if redis.call('LLEN', KEYS[4]) == 0 then
  redis.call('LPUSH', KEYS[4], '')
end
