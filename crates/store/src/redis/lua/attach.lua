-- ARGV: id, now, credential (41 bytes), life of its key, '1' and what is sealed where that changes.
local id, now, credential = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local record = redis.call('GET', session_key(id))
if not record then
    return 0
end
local s = read(record)
if ends_by(s) <= now then
    return 0
end
local kept, over = {}, {}
for lies = s.rest, #record, 41 do
    if struct.unpack('>I8', record, lies + 32) > now then
        kept[#kept + 1] = string.sub(record, lies, lies + 40)
    else
        over[#over + 1] = string.sub(record, lies, lies + 31)
    end
end
-- Everything before what is sealed stays as it is.
local head = string.sub(record, 1, s.rest - 1 - 5 - #s.sealed)
local has_sealed, sealed = s.has_sealed, s.sealed
if ARGV[5] == '1' then
    has_sealed, sealed = 1, ARGV[6]
end
local changed = head .. struct.pack('>BI4c0', has_sealed, #sealed, sealed) .. table.concat(kept) .. credential
redis.call('SET', session_key(id), changed, 'KEEPTTL')
redis.call('SET', credential_key(string.sub(credential, 1, 32)), id .. string.sub(credential, 33, 40), 'PX', ARGV[4])
for _, digest in ipairs(over) do
    local known = redis.call('GET', credential_key(digest))
    if known and string.sub(known, 1, 16) == id then
        redis.call('DEL', credential_key(digest))
    end
end
return 1
