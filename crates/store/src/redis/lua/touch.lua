-- ARGV: id, now. Notes the use where the session is live, may lie idle, and was not just used.
local now = tonumber(ARGV[2])
local record = redis.call('GET', session_key(ARGV[1]))
if record then
    local s = read(record)
    if s.may_idle == 1 and ends_by(s) > now and now > s.seen and now - s.seen >= s.idle / 30 then
        redis.call('SETRANGE', session_key(ARGV[1]), 18, struct.pack('>I8', now))
    end
end
return 0
