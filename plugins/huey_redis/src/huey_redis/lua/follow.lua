-- What the scripts share that write what follows a message.

local cursor = 0

-- Returns the next arguments of ARGV, behind cursor.
local function take(count)
  cursor = cursor + count
  return unpack(ARGV, cursor - count + 1, cursor)
end

-- Takes as many messages, six arguments for each as in write.lua, and writes them if the step that they follow is taken.
local function follow(at, effective, count)
  for _ = 1, count do
    if effective then
      write(at, take(6))
    else
      take(6)
    end
  end
end
