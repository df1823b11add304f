-- ARGV: index, begin and end of a lexical range, how many, the beginning of the records' keys, '1' to go backwards.
-- Answers how many ids there were, then ids with their records; what has no record any more is left out.
local command, first, last = 'ZRANGEBYLEX', ARGV[2], ARGV[3]
if ARGV[6] == '1' then
    command, first, last = 'ZREVRANGEBYLEX', ARGV[3], ARGV[2]
end
local ids = redis.call(command, base .. ARGV[1], first, last, 'LIMIT', 0, ARGV[4])
local found = { #ids, ids[#ids] or '' }
for _, id in ipairs(ids) do
    local record = redis.call('GET', base .. ARGV[5] .. id)
    found[#found + 1] = id
    found[#found + 1] = record or ''
end
return found
