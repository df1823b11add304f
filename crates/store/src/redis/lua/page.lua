-- ARGV: the command that reads a range of an index, the index, both bounds, how many, the beginning
-- of the records' keys. Answers ids, and their records as far as they are there.
local ids = redis.call(ARGV[1], base .. ARGV[2], ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[5])
local keys = {}
for at, id in ipairs(ids) do
    keys[at] = base .. ARGV[6] .. id
end
return { ids, get_all(keys) }
