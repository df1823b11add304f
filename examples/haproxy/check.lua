-- Asks the hub whether a request's credentials are alive. txn.logout_hub is "alive" or "ended" afterwards; anything else
-- means that the hub gave neither answer.

local HUB, PORT, PLATFORM = "127.0.0.1", 8081, "portal"
-- The text of the hub's check.token.
local TOKEN = "CHECK_TOKEN"
-- A hub that has not answered after so many seconds is a hub that denies.
local PATIENCE = 2

core.register_action("logout_hub_check", { "http-req" }, function(txn)
    txn:set_var("txn.logout_hub", "unknown")
    local lines = {
        "GET /check/" .. PLATFORM .. txn.f:pathq() .. " HTTP/1.1",
        "Host: " .. HUB .. ":" .. PORT,
        "Connection: close",
        "Logout-Check-Token: " .. TOKEN,
    }
    -- The check looks at nothing else, and a header that is not sent cannot be forged.
    local headers = txn.http:req_get_headers()
    for _, name in ipairs({ "cookie", "authorization", "sec-purpose", "purpose", "x-moz" }) do
        for _, value in pairs(headers[name] or {}) do
            lines[#lines + 1] = name .. ": " .. value
        end
    end
    local hub = core.tcp()
    hub:settimeout(PATIENCE)
    local answer
    if hub:connect(HUB, PORT) and hub:send(table.concat(lines, "\r\n") .. "\r\n\r\n") then
        answer = hub:receive("*l")
    end
    hub:close()
    local status = answer and answer:match("^HTTP/1%.1 (%d%d%d) ")
    if status == "204" then
        txn:set_var("txn.logout_hub", "alive")
    elseif status == "401" then
        txn:set_var("txn.logout_hub", "ended")
    end
end)
