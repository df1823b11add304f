-- ARGV: ids of receipts. Forgets them.
local keys = {}
for at, id in ipairs(ARGV) do
    keys[at] = base .. 'r:' .. id
end
in_parts('UNLINK', nil, keys)
in_parts('ZREM', base .. 'R', ARGV)
return 0
