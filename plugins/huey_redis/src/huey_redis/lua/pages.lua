-- ARGV: state (any but running), score and id of the last entry of the page before ('' and '' for the first page), limit.
-- Returns a list of rows as described in rows.lua, and what the next page has to begin behind, as page does.
local set = ({ready = READY, scheduled = DUE, dead = DEAD})[ARGV[1]]
local entries, score, id = page(set, unpack(ARGV, 2))
local rows = {}
for i = 1, #entries, 2 do
  row(rows, entries[i], ARGV[1], entries[i + 1])
end
return {rows, score, id}
