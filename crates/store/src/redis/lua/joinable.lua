-- ARGV: sign-on, now. Whether a session of the sign-on is live in this bucket.
for _, id in ipairs(redis.call('ZRANGE', base .. 'o:' .. ARGV[1], 0, -1)) do
    local known = redis.call('GET', session_key(id))
    if known and ends_by(read(known)) > tonumber(ARGV[2]) then
        return 1
    end
end
return 0
