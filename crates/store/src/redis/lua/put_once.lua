-- ARGV: digest, expiry and value, until when values have been forgotten, how much longer than its
-- life the key is kept.
local key = base .. 'v:' .. ARGV[1]
local known = redis.call('GET', key)
if known and struct.unpack('>I8', known) > tonumber(ARGV[3]) then
    return 0
end
-- The caller does not say the time, so this server's clock counts the life; the margin is far more
-- than clocks differ. Ten years are as good as for ever.
local life = struct.unpack('>I8', ARGV[2]) - redis.call('TIME')[1] * 1000
life = math.min(math.max(life, 0), 315360000000) + tonumber(ARGV[4])
redis.call('SET', key, ARGV[2], 'PX', string.format('%.0f', life))
return 1
