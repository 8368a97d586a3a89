-- GETs of which no two are the same: path, query, cookie, agent and request id differ, in a head of eight fields as a
-- browser sends it. The path on the command line is the beginning of each.
dofile("report.lua")

local sent = 0
local form

function init(args)
   math.randomseed(os.time() + math.floor(os.clock() * 1e6))
   local client = math.random(1, 999999) -- so that no other run sends the same
   form = "GET " .. wrk.path .. "%d?page=%d&q=word%d HTTP/1.1\r\n"
      .. "Host: " .. wrk.host .. ":" .. wrk.port .. "\r\n"
      .. "Connection: keep-alive\r\n"
      .. "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Safari/537.36\r\n"
      .. "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
      .. "Accept-Encoding: gzip, deflate, br, zstd\r\n"
      .. "Accept-Language: en-GB,en;q=0.9,de;q=0.7\r\n"
      .. "Cookie: session=" .. client .. ".%d.%d; theme=dark\r\n"
      .. "X-Request-Id: " .. client .. "-%d\r\n\r\n"
end

function request()
   sent = sent + 1
   local random = math.random
   return string.format(form, sent, random(1, 50), random(1, 9999), random(100, 199), random(1000, 9999),
      random(1, 999), sent, random(1, 999999), sent)
end

function done(summary, latency, requests)
   report(summary, latency:percentile(50), latency:percentile(99))
end
