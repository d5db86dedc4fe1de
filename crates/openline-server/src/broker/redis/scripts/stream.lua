-- What all scripts share. A channel has two keys. Its meta is a hash:
--   e epoch, o offset and t tag of the last entry; a when that was published;
--   b no entry is older than this; l how long entries are kept; g why those before the first are gone
--   ("x" beyond their time, "t" otherwise); x how long the stream's key lives.
-- Its stream has an entry "<offset>-0" with one field, whose value is what subscribers get as well:
--   byte 1 kind, 2 epoch, 6 offset, 14 tag, 22 tag of the entry before, 30 time, 38 bytes of data,
--   42 record. Numbers are big-endian. Tags are never read as numbers: Lua would round them.
local DAY = 86400000
local NO_TAG = string.rep('\0', 8)

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function id(offset)
  return string.format('%.0f-0', offset)
end

local function offset_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

local function published_at(entry)
  return (struct.unpack('>I8', entry[2][2], 30))
end

local function position(epoch, offset, tag)
  return epoch .. struct.pack('>I8', offset) .. tag
end

-- Forgets what was published at `last` or before. Returns when the oldest was published that is left,
-- if one is, and whether something was forgotten.
local function forget_until(stream, last)
  local forgotten = false
  while true do
    local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', 32)
    if #entries == 0 then
      return nil, forgotten
    end
    for _, entry in ipairs(entries) do
      local at = published_at(entry)
      if at > last then
        redis.call('XTRIM', stream, 'MINID', entry[1])
        return at, forgotten
      end
      forgotten = true
    end
    redis.call('XTRIM', stream, 'MINID', id(offset_of(entries[#entries]) + 1))
  end
end

-- Entries without their meta are of an incarnation that nothing else is known of. Nothing is written
-- where there are none: Redis looks for memory at a script's first write alone.
local function forget_other(stream)
  if redis.call('EXISTS', stream) == 1 then
    redis.call('DEL', stream)
  end
end
