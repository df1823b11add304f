-- Records of another store. Adds what is missing and changes nothing that is there. ARGV: now, then
-- of each record a letter and
--   S: id, record, life of its key, how many indexes list it, these, how many credentials it has,
--      of each its digest, its record, and the life of its key
--   T: digest, record, life
--   D: session's id, record, platform, when it is due (empty: never)
--   R: id, record
--   O: digest, expiry and value, life
local now, at = tonumber(ARGV[1]), 1
local function argument()
    at = at + 1
    return ARGV[at]
end
local function arguments(count)
    at = at + count
    return { unpack(ARGV, at - count + 1, at) }
end
-- Whether nothing that counts lies there.
local function is_free(key)
    local known = redis.call('GET', key)
    return not known or struct.unpack('>I8', known, 17) <= now
end
local function has_ended(id, credentials)
    for n = 1, #credentials, 3 do
        local known = redis.call('GET', credential_key(credentials[n]))
        if known and string.sub(known, 1, 16) == id and struct.unpack('>I8', known, 17) > now then
            return true
        end
    end
    return redis.call('EXISTS', delivery_key(id)) == 1
end
local import = {}
function import.S()
    local id, record, ttl = argument(), argument(), argument()
    local indexes = arguments(tonumber(argument()))
    local credentials = arguments(3 * tonumber(argument()))
    if redis.call('EXISTS', session_key(id)) == 1 or has_ended(id, credentials) then
        return
    end
    redis.call('SET', session_key(id), record, 'PX', ttl)
    for n = 1, #credentials, 3 do
        local key = credential_key(credentials[n])
        if struct.unpack('>I8', credentials[n + 1], 17) > now and is_free(key) then
            redis.call('SET', key, credentials[n + 1], 'PX', credentials[n + 2])
        end
    end
    redis.call('ZADD', base .. 'S', 0, id)
    for _, index in ipairs(indexes) do
        list(base .. index, id, ttl)
    end
end
function import.T()
    local digest, record, ttl = argument(), argument(), argument()
    local key = credential_key(digest)
    if redis.call('EXISTS', session_key(string.sub(record, 1, 16))) == 0 and is_free(key) then
        redis.call('SET', key, record, 'PX', ttl)
    end
end
function import.D()
    local id, record, platform, due = argument(), argument(), argument(), argument()
    if redis.call('EXISTS', session_key(id), delivery_key(id)) == 0 then
        redis.call('SET', delivery_key(id), record)
        redis.call('ZADD', base .. 'D', 0, id)
        if due ~= '' then
            redis.call('ZADD', base .. 'q:' .. platform, due, id)
        end
    end
end
function import.R()
    local id, record = argument(), argument()
    if redis.call('SETNX', base .. 'r:' .. id, record) == 1 then
        redis.call('ZADD', base .. 'R', 0, id)
    end
end
function import.O()
    local digest, value, ttl = argument(), argument(), argument()
    local key = base .. 'v:' .. digest
    local known = redis.call('GET', key)
    if not known or struct.unpack('>I8', known) <= now then
        redis.call('SET', key, value, 'PX', ttl)
    end
end
while at < #ARGV do
    import[argument()]()
end
return 0
