-- Puts a session's new record in place of the one that was read. ARGV: id, the record that was
-- read, the new one, then of each credential that it brings its digest, its record, and the life of
-- its key. Without a life, only a key that leads to this session is written, and lives as long as
-- before. Answers 0 where the record has changed in between.
local id = ARGV[1]
if redis.call('GET', session_key(id)) ~= ARGV[2] then
    return 0
end
redis.call('SET', session_key(id), ARGV[3], 'KEEPTTL')
for at = 4, #ARGV, 3 do
    local key = credential_key(ARGV[at])
    if ARGV[at + 2] ~= '' then
        redis.call('SET', key, ARGV[at + 1], 'PX', ARGV[at + 2])
    else
        local known = redis.call('GET', key)
        if known and string.sub(known, 1, 16) == id then
            redis.call('SET', key, ARGV[at + 1], 'KEEPTTL')
        end
    end
end
return 1
