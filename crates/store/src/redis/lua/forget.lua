-- ARGV: index, the beginning of the records' keys, ids. Forgets records, and that they were listed.
for at = 3, #ARGV do
    redis.call('UNLINK', base .. ARGV[2] .. ARGV[at])
    redis.call('ZREM', base .. ARGV[1], ARGV[at])
end
return 0
