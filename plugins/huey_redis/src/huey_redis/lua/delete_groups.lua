-- KEYS 17 and on: the keys of groups. ARGV: the groups. Returns those that were there.
local deleted = {}
for i, group in ipairs(ARGV) do
  redis.call('ZREM', GROUPS, group)
  if redis.call('UNLINK', KEYS[16 + i]) == 1 then
    deleted[#deleted + 1] = group
  end
end
return deleted
