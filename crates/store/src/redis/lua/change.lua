-- Puts a delivery's new record in place of the one that was read. ARGV: id, the record that was
-- read, the new one (empty: forget it), platform, when it is due (empty: never), and where it may
-- be leased, when it was due before. Answers 0 where the record has changed in between.
local id, queue = ARGV[1], base .. 'q:' .. ARGV[4]
if redis.call('GET', delivery_key(id)) ~= ARGV[2] then
    return 0
end
if ARGV[3] == '' then
    redis.call('DEL', delivery_key(id))
    redis.call('ZREM', base .. 'D', id)
else
    redis.call('SET', delivery_key(id), ARGV[3])
end
if ARGV[5] == '' then
    redis.call('ZREM', queue, id)
else
    local queued = redis.call('ZSCORE', queue, id)
    -- A delivery that is queued for another instant than it was due at is leased until then.
    if ARGV[6] == '' or not queued or tonumber(queued) == tonumber(ARGV[6]) then
        redis.call('ZADD', queue, ARGV[5], id)
    end
end
return 1
