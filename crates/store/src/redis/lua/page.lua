-- ARGV: index, begin and end of a lexical range, how many, the beginning of the records' keys, '1'
-- to go backwards. Answers ids, and their records as far as they are there.
local command, first, last = 'ZRANGEBYLEX', ARGV[2], ARGV[3]
if ARGV[6] == '1' then
    command, first, last = 'ZREVRANGEBYLEX', ARGV[3], ARGV[2]
end
local ids = redis.call(command, base .. ARGV[1], first, last, 'LIMIT', 0, ARGV[4])
local keys = {}
for at, id in ipairs(ids) do
    keys[at] = base .. ARGV[5] .. id
end
return { ids, get_all(keys) }
