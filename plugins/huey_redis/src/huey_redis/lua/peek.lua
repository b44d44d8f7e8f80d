-- ARGV: state, offset, limit. Returns rows as described in rows.lua.
local set = ({ready = READY, scheduled = DUE, running = LEASE, dead = DEAD})[ARGV[1]]
local command = ARGV[1] == 'dead' and 'ZREVRANGE' or 'ZRANGE'
local entries = redis.call(command, set, ARGV[2], ARGV[2] + ARGV[3] - 1, 'WITHSCORES')
local rows = {}
for i = 1, #entries, 2 do
  row(rows, entries[i], ARGV[1], entries[i + 1])
end
return rows
