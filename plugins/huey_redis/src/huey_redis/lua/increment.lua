-- KEYS: key. ARGV: amount, time to live (ms; 0: gone at once, -1: as it is). Returns the new value.
redis.call('INCRBY', KEYS[1], ARGV[1])
-- As text, because a number of Lua is not exact beyond 2^53.
local value = redis.call('GET', KEYS[1])
if ARGV[2] ~= '-1' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
tell(KEYS[1])
return value
