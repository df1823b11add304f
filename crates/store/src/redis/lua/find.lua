-- ARGV: digest, now, until when tombstones have been forgotten. Answers false, 0 for ended, or id and record.
local known = redis.call('GET', credential_key(ARGV[1]))
if not known then
    return false
end
local id, expires = struct.unpack('>c16I8', known)
if expires <= tonumber(ARGV[2]) then
    return false
end
local record = redis.call('GET', session_key(id))
if record then
    return { id, record }
end
if expires <= tonumber(ARGV[3]) then
    return false
end
return 0
