-- Every twentieth request waits in the application. The time of sending travels in the query string and comes back in
-- the body, so the latency of the fast requests can be told from that of the others.
dofile("report.lua")
local ffi = require("ffi")
ffi.cdef [[
   typedef struct { long seconds; long nanoseconds; } timespec_of_mix;
   int clock_gettime(int clock, timespec_of_mix *now);
]]
local now = ffi.new("timespec_of_mix")

local function now_us()
   ffi.C.clock_gettime(1, now) -- CLOCK_MONOTONIC
   return tonumber(now.seconds) * 1e6 + math.floor(tonumber(now.nanoseconds) / 1e3)
end

local threads = {}
function setup(thread)
   table.insert(threads, thread)
end

fast = {} -- latency in steps of 20 µs → number of requests
sent = 0

function request()
   sent = sent + 1
   local kind = sent % 20 == 0 and "slow" or "fast"
   return wrk.format("GET", string.format("/mixed/%s?%s.%d", kind, kind, now_us()))
end

function response(status, headers, body)
   local kind, began = body:match("^(%a+)%.(%d+)$")
   if kind == "fast" then
      local step = math.floor((now_us() - tonumber(began)) / 20)
      fast[step] = (fast[step] or 0) + 1
   end
end

local function percentile(counts, steps, total, share)
   local seen = 0
   for _, step in ipairs(steps) do
      seen = seen + counts[step]
      if seen >= total * share then
         return (step + 1) * 20
      end
   end
   return 0
end

function done(summary, latency, requests)
   local counts, steps, total = {}, {}, 0
   for _, thread in ipairs(threads) do
      for step, number in pairs(thread:get("fast")) do
         if not counts[step] then table.insert(steps, step) end
         counts[step] = (counts[step] or 0) + number
         total = total + number
      end
   end
   table.sort(steps)
   report(summary, percentile(counts, steps, total, 0.5), percentile(counts, steps, total, 0.99))
end
