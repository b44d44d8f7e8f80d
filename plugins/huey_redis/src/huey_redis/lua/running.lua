-- ARGV: cursor of ZSCAN, about how many entries. Returns the next cursor, then id and rank for each running message.
local scanned = redis.call('ZSCAN', LEASE, ARGV[1], 'COUNT', ARGV[2])
local entries = {scanned[1]}
for i = 1, #scanned[2], 2 do
  local id = scanned[2][i]
  local _, rank = parse(redis.call('HGET', RUN, id))
  entries[#entries + 1], entries[#entries + 2] = id, rank
end
return entries
