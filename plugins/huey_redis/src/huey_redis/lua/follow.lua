-- What the scripts share that write what follows a message.

local cursor = 0

-- Returns the next arguments of ARGV, behind cursor.
local function take(count)
  cursor = cursor + count
  return unpack(ARGV, cursor - count + 1, cursor)
end

-- Notes an arrival and returns whether it completes its group. See group_prefix in huey_redis.keys for what a key holds.
local function arrive(at, key, group, member, of, ttl)
  if redis.call('HEXISTS', key, 'complete') == 1 or redis.call('HSETNX', key, 'm' .. member, '') == 0 then
    return false
  end
  redis.call('HSET', key, 'of', of)
  local complete = redis.call('HLEN', key) - 1 >= tonumber(of)
  if complete then
    redis.call('UNLINK', key)
    redis.call('HSET', key, 'complete', of)
  end
  redis.call('PEXPIRE', key, ttl)

  -- The list of groups is forgotten with the last that is on it, and so needs no claim to look after it.
  local forgotten = redis.call('ZRANGEBYSCORE', GROUPS, '-inf', at, 'LIMIT', 0, PORTION)
  if #forgotten > 0 then
    redis.call('ZREM', GROUPS, unpack(forgotten))
  end
  redis.call('ZADD', GROUPS, at + ttl, group)
  if redis.call('PTTL', GROUPS) < tonumber(ttl) then
    redis.call('PEXPIRE', GROUPS, ttl)
  end
  return complete
end

-- Lets what is done from here on be done in the queue whose keys begin at this one of KEYS.
local function turn_to(first)
  MSG, READY, DUE, LEASE, RUN, DEAD, WHY, UNIQUE, UNTIL, HOLDS, SEQ, BELL, PAUSED, UNREPORTED, WAITS, GROUPS =
    unpack(KEYS, first, first + 15)
  rung = false
end

-- What follows is the number of messages, and for each of them the index among the keys behind the queue's of the first of
-- another queue (0: it is for this one), and then 0 and six arguments as in write.lua, or for one that follows a group the
-- index there of the group's key, the group, the member, the number of members, the time to live (ms) and the six. All are
-- taken from ARGV; they are written if the step is taken that they follow.
local function follow(at, effective, count)
  for _ = 1, count do
    local queue, index = take(2)
    local due = effective
    if queue ~= '0' then
      turn_to(16 + queue)
    end
    if index ~= '0' then
      local group, member, of, ttl = take(4)
      due = effective and arrive(at, KEYS[16 + index], group, member, of, ttl)
    end
    if due then
      write(at, take(6))
    else
      take(6)
    end
    if queue ~= '0' then
      turn_to(1)
    end
  end
end
