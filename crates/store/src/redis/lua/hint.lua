-- KEYS[1] is the hint itself, outside of any bucket. ARGV: bucket, life of the key.
redis.call('ZADD', base, 0, ARGV[1])
keep(base, ARGV[2])
return 0
