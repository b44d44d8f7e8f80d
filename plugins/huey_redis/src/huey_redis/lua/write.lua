-- ARGV: six for each message: id, data, priority, due (ms), claim on a unique key, its time (ms).
-- Returns for each message '' or the id of the live message that was there before.
local at = now()
local before = {}
for i = 1, #ARGV, 6 do
  before[#before + 1] = write(at, unpack(ARGV, i, i + 5)) or ''
end
return before
