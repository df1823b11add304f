-- Carries out what the program has decided, unless a record that it has read has changed: then it
-- answers 0. ARGV: how many records were read, of each the name of its key and its bytes (empty:
-- there was none), and of each command how many words it has besides the key, the command, the name
-- of the key, and these words.
local at = 1
local function take(count)
    at = at + count
    return unpack(ARGV, at - count, at - 1)
end
for _ = 1, tonumber(take(1)) do
    local name, read = take(2)
    if (redis.call('GET', base .. name) or '') ~= read then
        return 0
    end
end
local ours = { KEEP = keep, LIST = list }
while at <= #ARGV do
    local words, command, name = take(3)
    if ours[command] then
        ours[command](base .. name, take(words))
    else
        redis.call(command, base .. name, take(words))
    end
end
return 1
