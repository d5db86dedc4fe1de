-- Reads what one question needs. A channel that is not known begins here, so that its reader has a
-- position to go on from.
-- KEYS: meta, stream.
-- ARGV: 1 the epoch of a stream that begins here, 2 the offset of `since` or "", 3 that of `before` or
--   "", 4 the earliest time or "", 5 "1" from the oldest on, or else from the newest back, 6 how many
--   entries and 7 how many bytes of data one answer holds.
-- Returns position, why entries are gone, the entry behind `since`, the entry at `before`, entries.
local now = now_ms()
local meta, stream = KEYS[1], KEYS[2]
local known = redis.call('HMGET', meta, 'e', 'o', 't', 'a', 'b', 'l', 'g')
if not known[1] then
  forget_other(stream)
  redis.call('HSET', meta, 'e', ARGV[1], 'o', 0, 't', NO_TAG)
  redis.call('PEXPIRE', meta, DAY)
  return {position(ARGV[1], 0, NO_TAG), 't', false, false, {}}
end
if redis.call('PTTL', meta) < DAY / 2 then
  redis.call('PEXPIRE', meta, DAY)
end

local head, gone = tonumber(known[2]), known[7] or 't'
if head > 0 then
  local newest, oldest, ttl = tonumber(known[4]), tonumber(known[5]), tonumber(known[6])
  if oldest + ttl <= now then
    local left, forgotten = forget_until(stream, now - ttl)
    if forgotten then
      gone = 'x'
    end
    redis.call('HSET', meta, 'b', left or now, 'g', gone)
  end
  if redis.call('XLEN', stream) == 0 then
    gone = newest + ttl <= now and 'x' or 't'
  end
end

local function entry_at(offset)
  local entries = redis.call('XRANGE', stream, id(offset), id(offset))
  return entries[1] and entries[1][2][2] or false
end

-- The offset of the first entry that was published at `time` or later.
local function first_since(time)
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local low, high = first and offset_of(first) or head + 1, head + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call('XRANGE', stream, id(middle), '+', 'COUNT', 1)[1]
    if entry and published_at(entry) < time then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local since, before, time = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local from, to = 1, head
local next_entry, before_entry = false, false
if since then
  from = since + 1
  next_entry = since < head and entry_at(since + 1)
end
if before then
  to = math.min(head, before - 1)
  before_entry = before <= head and entry_at(before)
end
if time then
  from = math.max(from, first_since(time))
end

-- One more than the answer holds, so that it can be told that there is more.
local found, bytes = {}, 0
local function take(entries)
  for _, entry in ipairs(entries) do
    local value, bytes_before = entry[2][2], bytes
    found[#found + 1] = value
    bytes = bytes + (struct.unpack('>I4', value, 38))
    if #found > tonumber(ARGV[6]) or (bytes > tonumber(ARGV[7]) and bytes_before > 0) then
      return true
    end
  end
  return #entries == 0
end

while from <= to do
  if ARGV[5] == '1' then
    local entries = redis.call('XRANGE', stream, id(from), id(to), 'COUNT', 32)
    if take(entries) then
      break
    end
    from = offset_of(entries[#entries]) + 1
  else
    local entries = redis.call('XREVRANGE', stream, id(to), id(from), 'COUNT', 32)
    if take(entries) then
      break
    end
    to = offset_of(entries[#entries]) - 1
  end
end
return {position(known[1], head, known[3]), gone, next_entry, before_entry, found}
