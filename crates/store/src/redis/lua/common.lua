-- The beginning of every script. KEYS[1] begins every key that a script touches, so that all of
-- them lie in one hash slot. No script writes before it has read everything that could be
-- unreadable: a script that fails halfway is not undone.
--
-- Scripts compare and copy fields that record.rs has prepared. Instants are compared as numbers:
-- the order of strings depends on the server's locale.
local base = KEYS[1]
-- As many arguments as the interpreter's stack has room for.
local MOST = 4000

local function session_key(id)
    return base .. 's:' .. id
end

local function credential_key(digest)
    return base .. 'c:' .. digest
end

local function delivery_key(id)
    return base .. 'd:' .. id
end

-- Calls `command` with `key`, where there is one, and `arguments`, in parts where they are many.
local function in_parts(command, key, arguments)
    for from = 1, #arguments, MOST do
        local upto = math.min(from + MOST - 1, #arguments)
        if key then
            redis.call(command, key, unpack(arguments, from, upto))
        else
            redis.call(command, unpack(arguments, from, upto))
        end
    end
end

local function get_all(keys)
    if #keys == 0 then
        return {}
    elseif #keys <= MOST then
        return redis.call('MGET', unpack(keys))
    end
    local values = {}
    for from = 1, #keys, MOST do
        local part = redis.call('MGET', unpack(keys, from, math.min(from + MOST - 1, #keys)))
        for index = 1, #part do
            values[from + index - 1] = part[index]
        end
    end
    return values
end

-- Whether a session's record is one that record.rs wrote before this version. Such a record is
-- written anew by the program before a script reads it.
local function is_outdated(record)
    local version = string.byte(record)
    return version ~= 2 and version ~= 3
end

-- Whether a credential's key holds a tombstone at `now`.
local function is_tombstone(known, now)
    return known and struct.unpack('>I8', known, 17) > now
        and redis.call('EXISTS', session_key(string.sub(known, 1, 16))) == 0
end

-- Makes a key live `ttl` milliseconds from now at least.
local function keep(key, ttl)
    if redis.call('PTTL', key) < tonumber(ttl) then
        redis.call('PEXPIRE', key, ttl)
    end
end

-- Adds a session to an index. Ended sessions stay in an index until somebody reads it or adds to
-- it; looking at some of them here keeps their number near that of live ones.
local function list(key, id, ttl)
    if redis.call('ZCARD', key) > 8 then
        for _, other in ipairs(redis.call('ZRANDMEMBER', key, 3)) do
            if redis.call('EXISTS', session_key(other)) == 0 then
                redis.call('ZREM', key, other)
            end
        end
    end
    redis.call('ZADD', key, 0, id)
    keep(key, ttl)
end
