-- What the scripts share that let messages take unique keys.

local function holder(key, at)
  local id = redis.call('HGET', UNIQUE, key)
  local ends = id and redis.call('ZSCORE', UNTIL, key)
  if id and (not ends or tonumber(ends) > at) then
    return id
  end
end
