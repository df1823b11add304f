-- Tombstones, one-time and agreed values, which no index lists. ARGV: the server's cursor, how many
-- are wanted, now. Answers the next cursor, then kind, name and value of each.
local cursor, wanted, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- Most keys of a server are of other shards. Few calls pass them by, and none of them holds up the
-- server for more than some milliseconds.
local STEP, MOST_KEYS = 100, 10000
local pattern = string.gsub(base, '[%*%?%[%]\\]', '\\%0') .. '[acv]:*'
local dug, looked_at = { cursor }, 0
repeat
    local found = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', math.min(wanted, STEP))
    cursor, looked_at = found[1], looked_at + math.min(wanted, STEP)
    for _, key in ipairs(found[2]) do
        local kind, value = string.sub(key, #base + 1, #base + 1), redis.call('GET', key)
        if value and (kind ~= 'c' or is_tombstone(value, now)) then
            dug[#dug + 1] = kind
            dug[#dug + 1] = string.sub(key, #base + 3)
            dug[#dug + 1] = value
        end
    end
until cursor == '0' or #dug > 3 * wanted or looked_at >= MOST_KEYS
dug[1] = cursor
return dug
