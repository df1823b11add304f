-- ARGV: ids of sessions. Takes out of the list of all what the server has let expire.
for _, id in ipairs(ARGV) do
    if redis.call('EXISTS', session_key(id)) == 0 then
        redis.call('ZREM', base .. 'S', id)
    end
end
return 0
