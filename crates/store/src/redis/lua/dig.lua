-- What no index lists: tombstones, one-time and agreed values. ARGV: the server's cursor, how many keys to look at, now.
-- Answers the next cursor, then kind, name and value of each.
local pattern = string.gsub(base, '[%*%?%[%]\\]', '\\%0') .. '[acv]:*'
local found = redis.call('SCAN', ARGV[1], 'MATCH', pattern, 'COUNT', ARGV[2])
local dug = { found[1] }
for _, key in ipairs(found[2]) do
    local kind, value = string.sub(key, #base + 1, #base + 1), redis.call('GET', key)
    local counts = value
    if value and kind == 'c' then
        local session, expires = struct.unpack('>c16I8', value)
        counts = expires > tonumber(ARGV[3]) and redis.call('EXISTS', session_key(session)) == 0
    end
    if counts then
        dug[#dug + 1] = kind
        dug[#dug + 1] = string.sub(key, #base + 3)
        dug[#dug + 1] = value
    end
end
return dug
