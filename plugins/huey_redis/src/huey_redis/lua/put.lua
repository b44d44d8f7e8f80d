-- What the scripts that store values share.

-- A user may lack the right to publish. Then nobody is told, which is no reason to leave the rest undone.
local function tell(key)
  redis.pcall('PUBLISH', key, '')
end

-- The time to live is in ms; with 0 the value is gone at once, with -1 it stays for ever.
local function put(key, value, ttl)
  if ttl == '0' then
    redis.call('DEL', key)
  elseif ttl == '-1' then
    redis.call('SET', key, value)
  else
    redis.call('SET', key, value, 'PX', ttl)
  end
  tell(key)
end
