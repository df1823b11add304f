-- ARGV: an index, the beginning of the records' keys, ids. Takes out of the index what has no
-- record.
local gone = {}
for at = 3, #ARGV do
    if redis.call('EXISTS', base .. ARGV[2] .. ARGV[at]) == 0 then
        gone[#gone + 1] = ARGV[at]
    end
end
in_parts('ZREM', base .. ARGV[1], gone)
return 0
