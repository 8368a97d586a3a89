-- POST of a JSON document of 4 KiB.
dofile("report.lua")

local items = {}
for number = 1, 78 do
   items[number] = string.format('{"id": %6d, "name": "item %d", "flag": true}', number, number + 1000)
end
wrk.method = "POST"
wrk.body = "[" .. table.concat(items, ", ") .. "]"
wrk.body = wrk.body .. string.rep(" ", 4096 - #wrk.body)
wrk.headers["Content-Type"] = "application/json"

function done(summary, latency, requests)
   report(summary, latency:percentile(50), latency:percentile(99))
end
