-- KEYS: key. ARGV: amount, time to live (ms; 0: as it is). Returns the new value.
local value = redis.call('INCRBY', KEYS[1], ARGV[1])
if ARGV[2] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
redis.call('PUBLISH', KEYS[1], '')
return value
