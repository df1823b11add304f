-- ARGV: platform, now, how many, until. Answers ids with their records. A lease's number stands
-- behind the first byte of the record.
local queue = base .. 'q:' .. ARGV[1]
local leased = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])) do
    local record = redis.call('GET', delivery_key(id))
    if record then
        local lease = struct.unpack('>I8', record, 2)
        redis.call('SETRANGE', delivery_key(id), 1, struct.pack('>I8', lease + 1))
        redis.call('ZADD', queue, ARGV[4], id)
        leased[#leased + 1] = id
        leased[#leased + 1] = redis.call('GET', delivery_key(id))
    else
        redis.call('ZREM', queue, id)
    end
end
return leased
