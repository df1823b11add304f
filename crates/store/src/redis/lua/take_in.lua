-- Records of another store. ARGV: now, then of each its kind and
--   S: id, record, life, how many credentials, of each digest with expiry (40 bytes) and the life of its key
--   T: digest, session and expiry (24 bytes), life
--   D: session's id, record, platform, when it is due (empty: never)
--   R: id, record
--   O: digest, expiry and value, life
-- Adds what is missing and changes nothing that is there.
local now, at = tonumber(ARGV[1]), 1
local function argument()
    at = at + 1
    return ARGV[at]
end
-- Whether nothing that counts lies there.
local function is_free(key)
    local known = redis.call('GET', key)
    return not known or struct.unpack('>I8', known, 17) <= now
end
local function has_ended(id, credentials)
    if redis.call('EXISTS', delivery_key(id)) == 1 then
        return true
    end
    for _, credential in ipairs(credentials) do
        local known = redis.call('GET', credential_key(credential.digest))
        if known then
            local session, expires = struct.unpack('>c16I8', known)
            if session == id and expires > now then
                return true
            end
        end
    end
    return false
end
local take_in = {}
function take_in.S()
    local id, record, ttl, credentials = argument(), argument(), argument(), {}
    for n = 1, tonumber(argument()) do
        local bytes = argument()
        credentials[n] = { digest = string.sub(bytes, 1, 32), expiry = string.sub(bytes, 33), life = argument() }
    end
    if redis.call('EXISTS', session_key(id)) == 1 or has_ended(id, credentials) then
        return
    end
    local new = read(record)
    redis.call('SET', session_key(id), record, 'PX', ttl)
    for _, credential in ipairs(credentials) do
        local key = credential_key(credential.digest)
        if struct.unpack('>I8', credential.expiry) > now and is_free(key) then
            redis.call('SET', key, id .. credential.expiry, 'PX', credential.life)
        end
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
end
function take_in.T()
    local digest, value, life = argument(), argument(), argument()
    local key = credential_key(digest)
    if redis.call('EXISTS', session_key(string.sub(value, 1, 16))) == 0 and is_free(key) then
        redis.call('SET', key, value, 'PX', life)
    end
end
function take_in.D()
    local id, record, platform, due = argument(), argument(), argument(), argument()
    if redis.call('EXISTS', session_key(id), delivery_key(id)) == 0 then
        redis.call('SET', delivery_key(id), record)
        redis.call('ZADD', base .. 'D', 0, id)
        if due ~= '' then
            redis.call('ZADD', base .. 'q:' .. platform, due, id)
        end
    end
end
function take_in.R()
    local id, record = argument(), argument()
    if redis.call('SETNX', base .. 'r:' .. id, record) == 1 then
        redis.call('ZADD', base .. 'R', 0, id)
    end
end
function take_in.O()
    local digest, value, life = argument(), argument(), argument()
    local key = base .. 'v:' .. digest
    local known = redis.call('GET', key)
    if not known or struct.unpack('>I8', known) <= now then
        redis.call('SET', key, value, 'PX', life)
    end
end
while at < #ARGV do
    take_in[argument()]()
end
return 0
