-- ARGV: cursor of ZSCAN, about how many entries, the least rank ('' for any).
-- Returns the next cursor, then id and rank for each running message of that rank or a higher one.
local scanned = redis.call('ZSCAN', LEASE, ARGV[1], 'COUNT', ARGV[2])
local least = tonumber(ARGV[3])
local ids = {}
for i = 1, #scanned[2], 2 do
  ids[#ids + 1] = scanned[2][i]
end
local entries = {scanned[1]}
if #ids > 0 then
  for i, run in ipairs(redis.call('HMGET', RUN, unpack(ids))) do
    local _, rank = parse(run)
    if not least or tonumber(rank) >= least then
      entries[#entries + 1], entries[#entries + 2] = ids[i], rank
    end
  end
end
return entries
