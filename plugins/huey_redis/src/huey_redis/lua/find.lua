-- ARGV: ids. Returns rows as described in rows.lua, in the order of the ids.
local rows = {}
for _, id in ipairs(ARGV) do
  for state, set in pairs({ready = READY, scheduled = DUE, running = LEASE, dead = DEAD}) do
    local score = redis.call('ZSCORE', set, id)
    if score then
      row(rows, id, state, score)
    end
  end
end
return rows
