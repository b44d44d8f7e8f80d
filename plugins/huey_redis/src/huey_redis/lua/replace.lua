-- KEYS: key. ARGV: old value, new value, time to live as in put.lua. Returns whether the value was replaced.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
put(KEYS[1], ARGV[2], ARGV[3])
return 1
