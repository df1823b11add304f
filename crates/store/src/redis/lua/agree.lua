-- ARGV: name, candidate.
local key = base .. 'a:' .. ARGV[1]
redis.call('SETNX', key, ARGV[2])
return redis.call('GET', key)
