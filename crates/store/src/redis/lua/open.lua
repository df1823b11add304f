-- ARGV: id, record, life of its key, now, '1' where a tombstone refuses it, the sign-on's index
-- where it joins one (empty otherwise), how many indexes list it, these, then of each credential
-- its digest, its record, and the life of its key.
-- Answers 0: opened; 1: a credential has ended; 2: the sign-on has ended; otherwise the ids of
-- outdated records that have to be written anew first.
local id, record, ttl, now, sign_on = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[6]
local first = 8 + tonumber(ARGV[7])
if ARGV[5] == '1' then
    for at = first, #ARGV, 3 do
        if is_tombstone(redis.call('GET', credential_key(ARGV[at])), now) then
            return 1
        end
    end
end
if sign_on ~= '' then
    local alive, outdated = false, {}
    for _, other in ipairs(redis.call('ZRANGE', base .. sign_on, 0, -1)) do
        local known = redis.call('GET', session_key(other))
        if known and is_outdated(known) then
            outdated[#outdated + 1] = other
        elseif known and struct.unpack('>I8', known, 2) > now then
            alive = true
        end
    end
    if #outdated > 0 then
        return outdated
    elseif not alive then
        return 2
    end
end
redis.call('SET', session_key(id), record, 'PX', ttl)
for at = first, #ARGV, 3 do
    redis.call('SET', credential_key(ARGV[at]), ARGV[at + 1], 'PX', ARGV[at + 2])
end
redis.call('ZADD', base .. 'S', 0, id)
for at = 8, first - 1 do
    list(base .. ARGV[at], id, ttl)
end
return 0
