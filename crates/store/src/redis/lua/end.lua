-- Ends sessions. ARGV, for each order: its instant, its receipt's id, the receipt's head, the head
-- of its deliveries, where a walk over all sessions goes on (empty: at the first), how many
-- sessions it looks at, how many targets there are, and these: a letter and a name.
-- Answers for each order where its walk goes on (empty: it is over, or there was none), and the
-- receipt's entries of what ended; none where an order comes again whose receipt is there. Where
-- records are outdated, nothing is done: answers 0 and their ids.
--
-- All orders are read before the first is carried out, and all keys of one kind share a command: a
-- call from here costs the server about as much as its work.

local orders, credentials, position = {}, {}, 1
local keys = {}
while position <= #ARGV do
    local order = {
        at = tonumber(ARGV[position]), receipt = ARGV[position + 1], head = ARGV[position + 2],
        delivery = ARGV[position + 3], from = ARGV[position + 4], step = ARGV[position + 5],
        first = position + 7, last = position + 6 + tonumber(ARGV[position + 6]),
        next_from = '', entries = {},
    }
    orders[#orders + 1] = order
    for at = order.first, order.last do
        if string.byte(ARGV[at]) == 67 then
            credentials[#credentials + 1] = at
            keys[#keys + 1] = credential_key(string.sub(ARGV[at], 2, 33))
        end
    end
    position = order.last + 1
end

-- By the place of a target in ARGV, the credential's record; by a session's id, its record.
local known, records = {}, {}
local function fetch(ids)
    local wanted, names = {}, {}
    for _, id in ipairs(ids) do
        if records[id] == nil then
            wanted[#wanted + 1] = id
            names[#names + 1] = session_key(id)
        end
    end
    for at, record in ipairs(get_all(names)) do
        records[wanted[at]] = record
    end
end
do
    local ids = {}
    for at, record in ipairs(get_all(keys)) do
        if record then
            known[credentials[at]] = record
            ids[#ids + 1] = string.sub(record, 1, 16)
        end
    end
    for _, order in ipairs(orders) do
        for at = order.first, order.last do
            local kind = string.byte(ARGV[at])
            if kind == 69 or kind == 83 then
                ids[#ids + 1] = string.sub(ARGV[at], 2)
            end
        end
    end
    fetch(ids)
end

-- Sessions that end, in the order in which they were chosen. A session that one order has chosen is
-- not there for those after it.
local ends, deleted, outdated = {}, {}, {}

-- The session, if it is still there. Its fields as record.rs writes them; `rest` is where its
-- credentials begin, 41 bytes each: a digest, its expiry, and a byte for the program.
local function session(id)
    local record = records[id]
    if not record then
        return nil
    elseif is_outdated(record) then
        outdated[#outdated + 1] = id
        records[id] = false
        return nil
    end
    local _, expires, first_expiry, platform, entry, delivery, body, rest =
        struct.unpack('>BI8I8I4c0I4c0I4c0I4', record)
    return {
        id = id, record = record, expires = expires, first_expiry = first_expiry,
        platform = platform, entry = entry, delivery = delivery, rest = rest + body,
    }
end

local function choose(order, s)
    records[s.id] = false
    s.order = order
    ends[#ends + 1] = s
    deleted[#deleted + 1] = session_key(s.id)
    -- Credentials that have expired leave no tombstone.
    if s.first_expiry <= order.at then
        for lies = s.rest, #s.record, 41 do
            if struct.unpack('>I8', s.record, lies + 32) <= order.at then
                local key = credential_key(string.sub(s.record, lies, lies + 31))
                local record = redis.call('GET', key)
                if record and string.sub(record, 1, 16) == s.id then
                    deleted[#deleted + 1] = key
                end
            end
        end
    end
end

-- Whether a condition of a credential's record holds: an empty one always does.
local function holds(kept, presented)
    return kept == '' or presented == '' or kept == presented
end

local function choose_by_credential(order, at)
    local record = known[at]
    local s = record and session(string.sub(record, 1, 16))
    if not s or s.expires <= order.at then
        return
    end
    local expires, client, rest = struct.unpack('>I8Bc0', record, 17)
    local named, proof = struct.unpack('>Bc0', ARGV[at], 34)
    if expires > order.at and holds(client, named)
        and holds(string.sub(record, rest), string.sub(ARGV[at], proof)) then
        choose(order, s)
    end
end

-- The index ends with the sessions that it lists.
local function choose_listed(order, index)
    local ids = redis.call('ZRANGE', index, 0, -1)
    fetch(ids)
    for _, id in ipairs(ids) do
        local s = session(id)
        if s then
            choose(order, s)
        end
    end
    deleted[#deleted + 1] = index
end

-- Sessions of some platforms, among the next of all.
local function walk(order, platforms)
    local begin = order.from == '' and '-' or '(' .. order.from
    local ids = redis.call('ZRANGEBYLEX', base .. 'S', begin, '+', 'LIMIT', 0, order.step)
    fetch(ids)
    for _, id in ipairs(ids) do
        local s = session(id)
        if s and platforms[s.platform] then
            choose(order, s)
        end
    end
    if #ids == tonumber(order.step) then
        order.next_from = ids[#ids]
    end
end

for _, order in ipairs(orders) do
    local platforms
    for at = order.first, order.last do
        local target = ARGV[at]
        local kind = string.sub(target, 1, 1)
        if kind == 'F' then
            platforms = platforms or {}
            platforms[string.sub(target, 2)] = true
        elseif order.from ~= '' then
            -- A later step of a walk: the other targets ended in the first.
        elseif kind == 'C' then
            choose_by_credential(order, at)
        elseif kind == 'E' or kind == 'S' then
            local s = session(string.sub(target, 2))
            if s and (kind == 'S' or s.expires <= order.at) then
                choose(order, s)
            end
        elseif kind == 'O' or kind == 'P' or kind == 'U' then
            choose_listed(order, base .. string.lower(kind) .. ':' .. string.sub(target, 2))
        else
            error('an unknown target')
        end
    end
    if platforms then
        walk(order, platforms)
    end
end
if #outdated > 0 then
    return { 0, unpack(outdated, 1, math.min(#outdated, MOST)) }
end

-- From here on it writes. Giving memory back comes first: a server that is full lets a script go on
-- that has begun with that. Indexes keep the ids until they are read, or housekeeping comes by.
in_parts('DEL', nil, deleted)

local deliveries, listed, queues = {}, {}, {}
for _, s in ipairs(ends) do
    local order = s.order
    order.entries[#order.entries + 1] = s.entry
    if s.delivery ~= '' then
        deliveries[#deliveries + 1] = delivery_key(s.id)
        deliveries[#deliveries + 1] = order.delivery .. string.sub(s.delivery, 1, 8)
            .. order.receipt .. string.sub(s.delivery, 9)
        listed[#listed + 1] = 0
        listed[#listed + 1] = s.id
        local queue = base .. 'q:' .. s.platform
        queues[queue] = queues[queue] or {}
        table.insert(queues[queue], order.at)
        table.insert(queues[queue], s.id)
    end
end
in_parts('MSET', nil, deliveries)
in_parts('ZADD', base .. 'D', listed)
for queue, due in pairs(queues) do
    in_parts('ZADD', queue, due)
end

local receipts, fresh, seen, are_new = {}, {}, {}, true
for _, order in ipairs(orders) do
    order.entries = #order.entries == 1 and order.entries[1] or table.concat(order.entries)
    if order.entries ~= '' then
        receipts[#receipts + 1] = 0
        receipts[#receipts + 1] = order.receipt
        fresh[#fresh + 1] = base .. 'r:' .. order.receipt
        fresh[#fresh + 1] = order.head .. order.entries
        are_new = are_new and not seen[order.receipt]
        seen[order.receipt] = true
    end
end
are_new = #fresh > 0 and are_new and redis.call('MSETNX', unpack(fresh)) == 1

-- A receipt that is there already is of an earlier step of a walk, or of the same order, whose
-- answer got lost.
local answers = {}
for _, order in ipairs(orders) do
    local entries = order.entries
    if entries ~= '' and not are_new then
        local key = base .. 'r:' .. order.receipt
        if not redis.call('SET', key, order.head .. entries, 'NX') then
            redis.call('APPEND', key, entries)
            entries = order.from ~= '' and entries or ''
        end
    end
    answers[#answers + 1] = order.next_from
    answers[#answers + 1] = entries
end
in_parts('ZADD', base .. 'R', receipts)
return answers
