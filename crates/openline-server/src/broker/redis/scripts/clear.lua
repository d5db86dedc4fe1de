-- Forgets the entries of a channel. Its positions go on, so that a reader that has missed nothing is
-- not disturbed.
-- KEYS: meta, stream.
redis.call('DEL', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'g', 't')
end
return 1
