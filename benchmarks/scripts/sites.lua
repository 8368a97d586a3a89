-- GETs to two sites in turn, of which no two are the same: as varied.lua, whose paths and fields they have. A path on the
-- command line that ends with a slash is the beginning of each, another one is that of all.
dofile("report.lua")

local sent = 0
local hosts = {"one.test", "two.test"}
local form

function init(args)
   math.randomseed(os.time() + math.floor(os.clock() * 1e6))
   local client = math.random(1, 999999) -- so that no other run sends the same
   local item = wrk.path:sub(-1) == "/" and "%d" or "?item=%d"
   form = "GET " .. wrk.path .. item .. (item == "%d" and "?" or "&") .. "page=%d&q=word%d HTTP/1.1\r\n"
      .. "Host: %s\r\n"
      .. "Connection: " .. (wrk.headers["Connection"] or "keep-alive") .. "\r\n"
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
   return string.format(form, sent, random(1, 50), random(1, 9999), hosts[sent % 2 + 1], random(100, 199),
      random(1000, 9999), random(1, 999), sent, random(1, 999999), sent)
end

function done(summary, latency, requests)
   report(summary, latency:percentile(50), latency:percentile(99))
end
