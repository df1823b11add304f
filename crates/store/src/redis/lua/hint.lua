-- KEYS[1] is the hint itself, outside of any shard. ARGV: shard, life of the key.
redis.call('ZADD', base, 0, ARGV[1])
keep(base, ARGV[2])
return 0
