-- ARGV: score and group of the last entry of the page before (score '' for the first page), limit.
-- Returns groups, and when each is forgotten.
return page(GROUPS, unpack(ARGV))
