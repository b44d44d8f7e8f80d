-- ARGV: lease (ms), n; then n ids, n receipts. Returns n times 1, or 0 for a receipt that is stale.
local n = tonumber(ARGV[2])
local ends = now() + ARGV[1]
local runs = redis.call('HMGET', RUN, unpack(ARGV, 3, n + 2))
local renewed, ours, leases = {}, {}, {}
for i = 1, n do
  renewed[i] = runs[i] == ARGV[2 + n + i] and 1 or 0
  if renewed[i] == 1 then
    ours[#ours + 1] = ARGV[2 + i]
    leases[#leases + 1] = ends
    leases[#leases + 1] = ARGV[2 + i]
  end
end
if #ours > 0 then
  -- A server that is out of memory refuses ZADD, unless the script has removed something before.
  redis.call('ZREM', LEASE, unpack(ours))
  redis.call('ZADD', LEASE, unpack(leases))
end
return renewed
