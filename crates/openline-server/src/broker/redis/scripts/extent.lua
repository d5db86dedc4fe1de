-- How much a channel keeps; nothing if it is not known.
-- KEYS: meta, stream.
-- Returns position, entries, bytes, when the newest was published.
local now = now_ms()
local known = redis.call('HMGET', KEYS[1], 'e', 'o', 't', 'a', 'b', 'l')
if not known[1] then
  return false
end
local newest, oldest, ttl = tonumber(known[4]), tonumber(known[5]), tonumber(known[6])
if newest and oldest + ttl <= now then
  local left, forgotten = forget_until(KEYS[2], now - ttl)
  redis.call('HSET', KEYS[1], 'b', left or now)
  if forgotten then
    redis.call('HSET', KEYS[1], 'g', 'x')
  end
end
local count = redis.call('XLEN', KEYS[2])
local bytes = count > 0 and redis.call('MEMORY', 'USAGE', KEYS[2]) or 0
local head = position(known[1], tonumber(known[2]), known[3])
return {head, count, bytes, count > 0 and newest}
