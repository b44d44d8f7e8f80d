-- What the scripts share that schedule messages.

local function schedule(id, due)
  redis.call('ZADD', DUE, due, id)
  if redis.call('ZRANGE', DUE, 0, 0)[1] == id then
    ring()
  end
end
