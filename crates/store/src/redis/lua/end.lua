-- ARGV, for each of the orders: at, receipt, the receipt's head, where a walk over all sessions goes on (empty: at the first), how many
-- it looks at, how many targets there are, and these: C, E, S, O, P, U or F and whom.
-- Answers for each where the walk goes on (empty: it is over, or there was none), and what ended: entries as the receipt has them.
--
-- All orders are read before the first is carried out, and what many of them need is asked for and written in one command: a call from
-- here costs the server about as much as what it does.

-- As many arguments as the interpreter's stack has room for.
local MOST = 4000

local function in_parts(command, key, arguments)
    for from = 1, #arguments, MOST do
        local upto = math.min(from + MOST - 1, #arguments)
        if key then
            redis.call(command, key, unpack(arguments, from, upto))
        else
            redis.call(command, unpack(arguments, from, upto))
        end
    end
end

local function get_all(keys)
    local values = {}
    for from = 1, #keys, MOST do
        local part = redis.call('MGET', unpack(keys, from, math.min(from + MOST - 1, #keys)))
        for index = 1, #part do
            values[from + index - 1] = part[index]
        end
    end
    return values
end

local orders, position = {}, 1
while position <= #ARGV do
    local order = { at = tonumber(ARGV[position]), receipt = ARGV[position + 1], head = ARGV[position + 2], from = ARGV[position + 3],
        step = ARGV[position + 4], first = position + 6, last = position + 5 + tonumber(ARGV[position + 5]), begins = 1,
        next_from = '' }
    orders[#orders + 1] = order
    position = order.last + 1
end

-- The session that a presented credential leads to, until when, the records of these sessions, and by receipt what it says already.
local presented, until_when, records, told = {}, {}, {}, {}
do
    local digests, keys = {}, {}
    for _, order in ipairs(orders) do
        for index = order.first, order.last do
            if string.sub(ARGV[index], 1, 1) == 'C' then
                local digest = string.sub(ARGV[index], 2, 33)
                digests[#digests + 1] = digest
                keys[#keys + 1] = credential_key(digest)
            end
        end
    end
    local known, ids = get_all(keys), {}
    keys = {}
    for index, digest in ipairs(digests) do
        if known[index] then
            local id, expires = struct.unpack('>c16I8', known[index])
            presented[digest], until_when[digest] = id, expires
            ids[#ids + 1] = id
            keys[#keys + 1] = session_key(id)
        end
    end
    known = get_all(keys)
    for index, id in ipairs(ids) do
        records[id] = known[index]
    end
    -- The same order once more, because its answer got lost: what it ended then is what it ended.
    -- Not in later steps of a walk, whose receipt may be long.
    keys = {}
    for index, order in ipairs(orders) do
        keys[index] = base .. 'r:' .. order.receipt
    end
    known = get_all(keys)
    for index, order in ipairs(orders) do
        if known[index] and order.from == '' then
            local _, head = struct.unpack('>BI4', known[index])
            told[order.receipt] = string.sub(known[index], 6 + head)
        end
    end
end

-- What ends, in the order in which it was chosen. What one order has chosen is not there for those after it.
local chosen, ends = {}, {}

local function session_of(id)
    if chosen[id] then
        return nil
    end
    local record = records[id]
    if record == nil then
        record = redis.call('GET', session_key(id))
    end
    return record and read(record)
end

local function choose(id, s)
    chosen[id] = true
    s.id = id
    ends[#ends + 1] = s
end

local function choose_all(key)
    for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        local s = session_of(id)
        if s then
            choose(id, s)
        end
    end
end

-- Only what the script ends can be presented; what it has chosen before opens nothing any more.
local function choose_opened(wanted, at)
    local digest, reach, has_client, client, proof, token = struct.unpack('>c32BBI4c0Bc32', wanted, 2)
    local id = presented[digest]
    if not id or until_when[digest] <= at then
        return
    end
    local s = session_of(id)
    if not s or ends_by(s) <= at then
        return
    end
    local lies = string.find(s.record, digest, s.rest, true)
    while lies and (lies - s.rest) % 41 ~= 0 do
        lies = string.find(s.record, digest, lies + 1, true)
    end
    if not lies then
        return
    end
    local expires, is_due = struct.unpack('>I8B', s.record, lies + 32)
    if expires <= at then
        return
    end
    if has_client == 1 or (is_due == 1 and proof > 0) then
        local of_client, csrf = guards(s.body)
        if has_client == 1 and of_client and of_client ~= client then
            return
        end
        if is_due == 1 and proof > 0 and not (proof == 2 and csrf == token) then
            return
        end
    end
    choose(id, s)
    if reach > 0 and s.has_sign_on == 1 then
        choose_all(base .. 'o:' .. s.sign_on)
    end
    if reach > 1 then
        choose_all(base .. 'u:' .. s.subject)
    end
    if reach > 2 and s.has_person == 1 then
        choose_all(base .. 'p:' .. s.person)
    end
end

-- Sessions of some platforms, among the next of all.
local function walk(order, platforms)
    local begin = order.from == '' and '-' or '(' .. order.from
    local ids = redis.call('ZRANGEBYLEX', base .. 'S', begin, '+', 'LIMIT', 0, order.step)
    for _, id in ipairs(ids) do
        local s = session_of(id)
        if s and platforms[struct.unpack('>I4c0', s.subject)] then
            choose(id, s)
        end
    end
    if #ids == tonumber(order.step) then
        order.next_from = ids[#ids]
    end
end

for _, order in ipairs(orders) do
    local platforms
    order.begins = #ends + 1
    for index = order.first, order.last do
        local target = ARGV[index]
        local kind = string.sub(target, 1, 1)
        if kind == 'F' then
            platforms = platforms or {}
            platforms[string.sub(target, 2)] = true
        elseif order.from ~= '' then
            -- A later step of a walk: the other targets ended in the first.
        elseif kind == 'C' then
            choose_opened(target, order.at)
        elseif kind == 'E' or kind == 'S' then
            local id = string.sub(target, 2)
            local s = session_of(id)
            if s and (kind == 'S' or ends_by(s) <= order.at) then
                choose(id, s)
            end
        elseif kind == 'O' or kind == 'P' or kind == 'U' then
            choose_all(base .. string.lower(kind) .. ':' .. string.sub(target, 2))
        else
            error('an unknown target')
        end
    end
    if platforms then
        walk(order, platforms)
    end
end

-- From here on it writes. Giving memory back comes first: a server that is full lets a script go on that has begun with that.
local gone, keys = {}, {}
for index, s in ipairs(ends) do
    gone[index], keys[index] = s.id, session_key(s.id)
end
in_parts('DEL', nil, keys)
in_parts('ZREM', base .. 'S', gone)
for _, s in ipairs(ends) do
    redis.call('ZREM', base .. 'u:' .. s.subject, s.id)
    if s.has_person == 1 then
        redis.call('ZREM', base .. 'p:' .. s.person, s.id)
    end
    if s.has_sign_on == 1 then
        redis.call('ZREM', base .. 'o:' .. s.sign_on, s.id)
    end
end

local answers, receipts, deliveries, queues = {}, {}, {}, {}
for number, order in ipairs(orders) do
    local written = {}
    local last = orders[number + 1] and orders[number + 1].begins - 1 or #ends
    for index = order.begins, last do
        local s = ends[index]
        -- The keys of the other credentials are tombstones from now on: they lead to a session that is not there.
        for lies = s.rest, #s.record, 41 do
            if struct.unpack('>I8', s.record, lies + 32) <= order.at then
                local key = credential_key(string.sub(s.record, lies, lies + 31))
                local known = redis.call('GET', key)
                if known and string.sub(known, 1, 16) == s.id then
                    redis.call('DEL', key)
                end
            end
        end
        if s.has_sealed == 1 then
            redis.call('SET', delivery_key(s.id), struct.pack('>BI8BI8I8I8c16I4c0BI4c0', 1, 0, 0, order.at, order.at, s.expires,
                order.receipt, #s.subject, s.subject, 1, #s.sealed, s.sealed))
            local queue = base .. 'q:' .. struct.unpack('>I4c0', s.subject)
            queues[queue] = queues[queue] or {}
            table.insert(queues[queue], order.at)
            table.insert(queues[queue], s.id)
            table.insert(deliveries, 0)
            table.insert(deliveries, s.id)
        end
        written[#written + 1] = struct.pack('>I4c16BBI4c0c0', 22 + #s.person + #s.subject, s.id, s.has_sealed, s.has_person,
            #s.person, s.person, s.subject)
    end
    local entries, before = #written > 1 and table.concat(written) or written[1] or '', told[order.receipt]
    if entries ~= '' then
        local key = base .. 'r:' .. order.receipt
        if before or (order.from ~= '' and redis.call('EXISTS', key) == 1) then
            redis.call('APPEND', key, entries)
        else
            redis.call('SET', key, order.head .. entries)
        end
        receipts[#receipts + 1] = 0
        receipts[#receipts + 1] = order.receipt
    end
    if before then
        entries = before .. entries
    end
    if entries ~= '' then
        told[order.receipt] = entries
    end
    answers[#answers + 1] = order.next_from
    answers[#answers + 1] = entries
end
in_parts('ZADD', base .. 'D', deliveries)
for queue, due in pairs(queues) do
    in_parts('ZADD', queue, due)
end
in_parts('ZADD', base .. 'R', receipts)
return answers
