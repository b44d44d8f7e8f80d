-- ARGV: for each dead letter its id, how many messages follow it, and these (see follow.lua).
local at = now()
while cursor < #ARGV do
  local id, count = take(2)
  follow(at, redis.call('ZREM', UNREPORTED, id) == 1, count)
end
