-- ARGV: id, record, joins, now, life of the record, then pairs of a credential's digest with its expiry (40 bytes) and the life of its key.
-- Answers 0 opened, 1 a credential was ended, 2 the sign-on has ended.
local id, record, joins, now, ttl = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4]), ARGV[5]
local new = read(record)
if new.has_sealed == 1 then
    for at = 6, #ARGV, 2 do
        local known = redis.call('GET', credential_key(string.sub(ARGV[at], 1, 32)))
        if known then
            local session, expires = struct.unpack('>c16I8', known)
            if expires > now and redis.call('EXISTS', session_key(session)) == 0 then
                return 1
            end
        end
    end
end
if new.has_sign_on == 1 and joins then
    local alive = false
    for _, other in ipairs(redis.call('ZRANGE', base .. 'o:' .. new.sign_on, 0, -1)) do
        local known = redis.call('GET', session_key(other))
        if known and ends_by(read(known)) > now then
            alive = true
            break
        end
    end
    if not alive then
        return 2
    end
end
redis.call('SET', session_key(id), record, 'PX', ttl)
for at = 6, #ARGV, 2 do
    local digest, expires = string.sub(ARGV[at], 1, 32), string.sub(ARGV[at], 33)
    redis.call('SET', credential_key(digest), id .. expires, 'PX', ARGV[at + 1])
end
local function list(key)
    redis.call('ZADD', key, 0, id)
    keep(key, ttl)
end
redis.call('ZADD', base .. 'S', 0, id)
list(base .. 'u:' .. new.subject)
if new.has_person == 1 then
    list(base .. 'p:' .. new.person)
end
if new.has_sign_on == 1 then
    list(base .. 'o:' .. new.sign_on)
end
return 0
