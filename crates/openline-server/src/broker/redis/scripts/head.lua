-- Where a channel is; nothing if nothing was published on it that has a position. Who asks keeps it
-- from being forgotten.
-- KEYS: meta.
local known = redis.call('HMGET', KEYS[1], 'e', 'o', 't')
if not known[1] then
  return false
end
if redis.call('PTTL', KEYS[1]) < DAY / 2 then
  redis.call('PEXPIRE', KEYS[1], DAY)
end
local offset = tonumber(known[2])
return offset > 0 and position(known[1], offset, known[3])
