-- What every script begins with. KEYS[1] is the bucket: the beginning of every key that a script touches, so that all of
-- them lie in one hash slot. No script writes before it has read everything that could be unreadable: a script that fails
-- halfway is not undone.
local base = KEYS[1]
local SESSION = '>BI8BI8I8Bc16BI4c0I4c0I4c0BI4c0'
local DELIVERY_HEAD = '>BI8B'

-- The session of this record; the same fields, in the same order, as record.rs writes them. Its credentials, 41 bytes each, follow from
-- `rest` on: digest, expiry and whether a CSRF token is due.
local function read(record)
    local version, expires, may_idle, idle, seen, has_sign_on, sign_on, has_person, person, subject, body, has_sealed, sealed, rest =
        struct.unpack(SESSION, record)
    if version ~= 1 or (#record + 1 - rest) % 41 ~= 0 then
        error('a session record that is damaged, or of an unknown version')
    end
    -- In one piece, because a table that grows field by field is moved four times.
    return { id = false, expires = expires, may_idle = may_idle, idle = idle, seen = seen, has_sign_on = has_sign_on,
        sign_on = sign_on, has_person = has_person, person = person, subject = subject, body = body, has_sealed = has_sealed,
        sealed = sealed, rest = rest, record = record }
end

local function ends_by(s)
    if s.may_idle == 0 then
        return s.expires
    end
    return math.min(s.seen + s.idle, s.expires)
end

local function session_key(id)
    return base .. 's:' .. id
end

local function credential_key(digest)
    return base .. 'c:' .. digest
end

local function delivery_key(id)
    return base .. 'd:' .. id
end

-- The client and the CSRF secret in what only record.rs reads otherwise (`SessionBody`, as postcard writes it): each a byte that says
-- whether there is one; the client's length has seven bits a byte, the lowest first.
local function guards(body)
    local at, client, csrf = 2, nil, nil
    if string.byte(body, 1) == 1 then
        local length, factor, byte = 0, 1, nil
        repeat
            byte = string.byte(body, at)
            length, factor, at = length + (byte % 128) * factor, factor * 128, at + 1
        until byte < 128
        client, at = string.sub(body, at, at + length - 1), at + length
    end
    -- A byte for the administrator stands between them.
    if string.byte(body, at + 1) == 1 then
        csrf = string.sub(body, at + 2, at + 33)
    end
    return client, csrf
end

-- Makes a key live `ttl` milliseconds from now at least.
local function keep(key, ttl)
    if redis.call('PTTL', key) < tonumber(ttl) then
        redis.call('PEXPIRE', key, ttl)
    end
end
