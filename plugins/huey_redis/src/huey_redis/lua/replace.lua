-- KEYS: key. ARGV: old value, new value, time to live (ms; 0: for ever). Returns whether the value was replaced.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[3] == '0' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
redis.call('PUBLISH', KEYS[1], '')
return 1
