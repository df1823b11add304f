-- Asks the hub whether a request's credentials are alive. Apache refuses the request with the status that `check` returns.

require "apache2"
local socket = require "socket"

local HUB, PORT, PLATFORM = "127.0.0.1", 8081, "portal"
-- The text of the hub's check.token.
local TOKEN = "CHECK_TOKEN"
-- A hub that has not answered after so many seconds is a hub that denies.
local PATIENCE = 2

function check(r)
    local lines = {
        "GET /check/" .. PLATFORM .. r.unparsed_uri .. " HTTP/1.1",
        "Host: " .. HUB .. ":" .. PORT,
        "Connection: close",
        "Logout-Check-Token: " .. TOKEN,
    }
    -- The check looks at nothing else, and a header that is not sent cannot be forged.
    for _, name in ipairs({ "Cookie", "Authorization", "Sec-Purpose", "Purpose", "X-Moz" }) do
        if r.headers_in[name] then
            lines[#lines + 1] = name .. ": " .. r.headers_in[name]
        end
    end
    local hub = socket.tcp()
    hub:settimeout(PATIENCE, "t")
    local answer
    if hub:connect(HUB, PORT) and hub:send(table.concat(lines, "\r\n") .. "\r\n\r\n") then
        answer = hub:receive("*l")
    end
    hub:close()
    local status = answer and answer:match("^HTTP/1%.1 (%d%d%d) ")
    if status == "204" then
        return apache2.OK
    end
    return status == "401" and 401 or 503
end
