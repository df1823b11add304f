-- ARGV, for each of the orders: at, receipt, the receipt's head, where a walk over all sessions goes on (empty: at the first), how many
-- it looks at, how many targets there are, and these: C, E, S, O, P, U or F and whom.
-- Answers for each where the walk goes on (empty: it is over, or there was none), and what ended.
local function carry_out(at, receipt, head, from, step, first, last)
    local receipt_key = base .. 'r:' .. receipt
    local chosen, order, platforms, walks = {}, {}, {}, false
    local function choose(id, wanted)
        if chosen[id] then
            return
        end
        local record = redis.call('GET', session_key(id))
        if not record then
            return
        end
        local s = read(record)
        if wanted and not wanted(s) then
            return
        end
        chosen[id] = s
        s.id = id
        s.platform = struct.unpack('>I4c0', s.subject)
        order[#order + 1] = s
    end
    local function expired(s)
        return ends_by(s) <= at
    end
    local function choose_all(key)
        for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
            choose(id)
        end
    end
    -- Only what the script ends can be presented; what it has chosen before opens nothing any more.
    local function choose_opened(wanted)
        local digest, reach, has_client, client, proof, token = struct.unpack('>c32BBI4c0Bc32', wanted)
        local known = redis.call('GET', credential_key(digest))
        if not known then
            return
        end
        local id, expires = struct.unpack('>c16I8', known)
        if expires <= at or chosen[id] then
            return
        end
        choose(id, function(s)
            local holds, is_due = false, false
            each_credential(s.credentials, function(own, until_when, bytes)
                if own == digest and until_when > at then
                    holds, is_due = true, string.byte(bytes, 41) == 1
                end
            end)
            if not holds or ends_by(s) <= at then
                return false
            end
            if has_client == 1 or (is_due and proof > 0) then
                local of_client, csrf = guards(s.body)
                if has_client == 1 and of_client and of_client ~= client then
                    return false
                end
                if is_due and proof > 0 and not (proof == 2 and csrf == token) then
                    return false
                end
            end
            return true
        end)
        local s = chosen[id]
        if s and reach > 0 then
            if s.has_sign_on == 1 then
                choose_all(base .. 'o:' .. s.sign_on)
            end
            if reach > 1 then
                choose_all(base .. 'u:' .. s.subject)
            end
            if reach > 2 and s.has_person == 1 then
                choose_all(base .. 'p:' .. s.person)
            end
        end
    end
    for index = first, last do
        local kind, whom = string.sub(ARGV[index], 1, 1), string.sub(ARGV[index], 2)
        if kind == 'F' then
            platforms[whom] = true
            walks = true
        elseif from ~= '' then
            -- A later step of a walk: the other targets ended in the first.
        elseif kind == 'C' then
            choose_opened(whom)
        elseif kind == 'E' then
            choose(whom, expired)
        elseif kind == 'S' then
            choose(whom)
        elseif kind == 'O' then
            choose_all(base .. 'o:' .. whom)
        elseif kind == 'P' then
            choose_all(base .. 'p:' .. whom)
        elseif kind == 'U' then
            choose_all(base .. 'u:' .. whom)
        else
            error('an unknown target')
        end
    end
    local next_from = ''
    if walks then
        local begin = from == '' and '-' or '(' .. from
        local ids = redis.call('ZRANGEBYLEX', base .. 'S', begin, '+', 'LIMIT', 0, step)
        for _, id in ipairs(ids) do
            choose(id, function(s)
                return platforms[struct.unpack('>I4c0', s.subject)]
            end)
        end
        if #ids == tonumber(step) then
            next_from = ids[#ids]
        end
    end
    local entries = {}
    -- The same order once more, because its answer got lost: what it ended then is what it ended.
    -- Not in later steps of a walk, whose receipt may be long.
    local before = from == '' and redis.call('GET', receipt_key)
    if before then
        local _, length = struct.unpack('>BI4', before)
        local position = 6 + length
        while position <= #before do
            local entry
            entry, position = struct.unpack('>I4c0', before, position)
            entries[#entries + 1] = entry
        end
    end
    local written = {}
    for _, s in ipairs(order) do
        -- First, because a server that is full lets a script go on that has begun by giving memory back.
        redis.call('DEL', session_key(s.id))
        redis.call('ZREM', base .. 'S', s.id)
        redis.call('ZREM', base .. 'u:' .. s.subject, s.id)
        if s.has_person == 1 then
            redis.call('ZREM', base .. 'p:' .. s.person, s.id)
        end
        if s.has_sign_on == 1 then
            redis.call('ZREM', base .. 'o:' .. s.sign_on, s.id)
        end
        -- The keys of the other credentials are tombstones from now on: they lead to a session that is not there.
        each_credential(s.credentials, function(digest, expires)
            if expires <= at then
                local known = redis.call('GET', credential_key(digest))
                if known and string.sub(known, 1, 16) == s.id then
                    redis.call('DEL', credential_key(digest))
                end
            end
        end)
        if s.has_sealed == 1 then
            redis.call('SET', delivery_key(s.id), struct.pack('>BI8BI8I8I8c16I4c0BI4c0', 1, 0, 0, at, at, s.expires, receipt,
                #s.subject, s.subject, 1, #s.sealed, s.sealed))
            redis.call('ZADD', base .. 'q:' .. s.platform, at, s.id)
            redis.call('ZADD', base .. 'D', 0, s.id)
        end
        local entry = s.id .. struct.pack('>BBI4c0', s.has_sealed, s.has_person, #s.person, s.person) .. s.subject
        entries[#entries + 1] = entry
        written[#written + 1] = struct.pack('>I4c0', #entry, entry)
    end
    if #written > 0 then
        if before or (from ~= '' and redis.call('EXISTS', receipt_key) == 1) then
            redis.call('APPEND', receipt_key, table.concat(written))
        else
            redis.call('SET', receipt_key, head .. table.concat(written))
        end
        redis.call('ZADD', base .. 'R', 0, receipt)
    end
    return { next_from, entries }
end
local answers, position = {}, 1
while position <= #ARGV do
    local first = position + 6
    local last = position + 5 + tonumber(ARGV[position + 5])
    answers[#answers + 1] = carry_out(tonumber(ARGV[position]), ARGV[position + 1], ARGV[position + 2], ARGV[position + 3],
        ARGV[position + 4], first, last)
    position = last + 1
end
return answers
