-- ARGV: score and group of the last entry of the page before ('' and '' for the first page), limit.
-- Returns a list of groups and when each is forgotten, and what the next page has to begin behind, as page does.
return {page(GROUPS, unpack(ARGV))}
