-- Publishes: a retry is answered as the first try was; or else it is ordered, kept and handed on.
-- KEYS: meta, stream, the publication's key if it has one.
-- ARGV: 1 how many entries are kept, 2 for how long, 3 topic, 4 bytes of data, 5 record, 6 the epoch of
--   a stream that begins here, 7 tag, 8 how long the key is remembered, 9 fingerprint.
-- Returns 1 (new) or 2 (duplicate) with time and position, or 3 (conflict) with the key's age.
local now = now_ms()
local used = KEYS[3] and redis.call('GET', KEYS[3])
if used then
  local at = (struct.unpack('>I8', used, 17))
  if string.sub(used, 1, 16) ~= ARGV[9] then
    return {3, now - at}
  end
  return {2, at, string.sub(used, 25)}
end

local meta, stream = KEYS[1], KEYS[2]
local size, ttl, tag = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[7]
local place, prev = string.rep('\0', 20), NO_TAG
local function message()
  return '\1' .. place .. prev .. struct.pack('>I8I4', now, tonumber(ARGV[4])) .. ARGV[5]
end

if size > 0 then
  local known = redis.call('HMGET', meta, 'e', 'o', 't', 'a', 'b', 'l', 'x')
  local epoch, offset = known[1], tonumber(known[2])
  if epoch then
    prev = known[3]
  else
    forget_other(stream)
    epoch, offset = ARGV[6], 0
  end
  offset = offset + 1
  place = position(epoch, offset, tag)
  -- First: it is refused when there is no memory, and then nothing has changed.
  redis.call('XADD', stream, id(offset), 'e', message())

  local count = redis.call('XLEN', stream)
  local oldest, gone = tonumber(known[5]) or now, nil
  if count == 1 then
    oldest = now
    if offset > 1 then
      gone = (tonumber(known[4]) + tonumber(known[6]) <= now) and 'x' or 't'
    end
  elseif count > size then
    redis.call('XTRIM', stream, 'MAXLEN', size)
    gone = 't'
  end
  if oldest + ttl <= now then
    local left, forgotten = forget_until(stream, now - ttl)
    oldest = left or now
    if forgotten then
      gone = 'x'
    end
  end

  local set = {'o', string.format('%.0f', offset), 't', tag, 'a', now}
  local function put(field, value)
    set[#set + 1] = field
    set[#set + 1] = value
  end
  if not known[1] then
    put('e', epoch)
  end
  if oldest ~= tonumber(known[5]) then
    put('b', oldest)
  end
  if ttl ~= tonumber(known[6]) then
    put('l', ttl)
  end
  if gone then
    put('g', gone)
  end
  -- The keys live longer than the entries, so that not each publication has to renew them.
  local lives_until = tonumber(known[7]) or 0
  local renewed = count == 1 or lives_until < now + ttl
  if renewed then
    lives_until = now + ttl + math.max(60000, math.floor(ttl / 8))
    put('x', lives_until)
  end
  redis.call('HSET', meta, unpack(set))
  if renewed then
    redis.call('PEXPIREAT', stream, lives_until)
    redis.call('PEXPIREAT', meta, lives_until + DAY)
  end
end

if KEYS[3] then
  local at = ARGV[9] .. struct.pack('>I8', now)
  redis.call('SET', KEYS[3], size > 0 and at .. place or at, 'PX', ARGV[8])
end
redis.call('PUBLISH', ARGV[3], message())
return {1, now, size > 0 and place or ''}
