-- What the scripts share that show messages.

-- Returns the claim of a message on a unique key and the ms for which it lasts, or an empty text for each.
local function claim_of(id)
  local claim = redis.call('HGET', HOLDS, id) or ''
  if string.sub(claim, 1, 1) ~= 't' then
    return claim, ''
  end
  local key = string.sub(claim, 2)
  local ends = redis.call('HGET', UNIQUE, key) == id and redis.call('ZSCORE', UNTIL, key)
  return claim, string.format('%.0f', math.max((ends or 0) - now(), 0))
end

-- One row for each message: id, state, score, data, run, why, claim, its time.
local function row(rows, id, state, score)
  local data = redis.call('HGET', MSG, id)
  if data then
    local run, why = redis.call('HGET', RUN, id) or '', redis.call('HGET', WHY, id) or ''
    rows[#rows + 1] = {id, state, score, data, run, why, claim_of(id)}
  end
end
