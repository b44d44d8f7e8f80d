-- What the scripts share that list a sorted set page by page.

-- By bytes, as the server orders members: Lua compares texts by the server's locale.
local function precedes(one, other)
  for i = 1, math.min(#one, #other) do
    local byte, other_byte = string.byte(one, i), string.byte(other, i)
    if byte ~= other_byte then
      return byte < other_byte
    end
  end
  return #one < #other
end

-- Returns members and scores behind a score and a member, which may be gone by now; with the score '' from the start.
-- Behind them come the score and the member of the last of them, for the next page, or '' when there is no more.
local function page(set, score, member, limit)
  local first = 0
  if score ~= '' then
    first = redis.call('ZCOUNT', set, '-inf', '(' .. score)
    local last = first + redis.call('ZCOUNT', set, score, score)
    while first < last do
      local middle = math.floor((first + last) / 2)
      if precedes(member, redis.call('ZRANGE', set, middle, middle)[1]) then
        last = middle
      else
        first = middle + 1
      end
    end
  end
  local entries = redis.call('ZRANGE', set, first, first + limit, 'WITHSCORES')
  if #entries <= 2 * limit then
    return entries, '', ''
  end
  entries[2 * limit + 1], entries[2 * limit + 2] = nil, nil
  return entries, entries[2 * limit], entries[2 * limit - 1]
end
