-- GET of the path on the command line.
dofile("report.lua")

function done(summary, latency, requests)
   report(summary, latency:percentile(50), latency:percentile(99))
end
