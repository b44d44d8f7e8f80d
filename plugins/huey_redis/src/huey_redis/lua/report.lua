-- KEYS 17 and on: the keys of groups. ARGV: for each dead letter its id, what follows it (see follow.lua).
local at = now()
while cursor < #ARGV do
  local id, count = take(2)
  follow(at, redis.call('ZREM', UNREPORTED, id) == 1, count)
end
