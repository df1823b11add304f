-- ARGV: a credential's digest. Answers its record and that of its session, as far as they are
-- there.
local known = redis.call('GET', credential_key(ARGV[1]))
if not known then
    return {}
end
return { known, redis.call('GET', session_key(string.sub(known, 1, 16))) }
