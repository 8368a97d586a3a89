-- One line of JSON at the end of a run; benchmarks/load.py reads it. wrk runs in this directory.
function report(summary, p50_us, p99_us)
   local e = summary.errors
   io.write(string.format(
      'RESULT {"duration_us": %d, "requests": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, '
         .. '"status": %d, "timeout": %d, "p50_us": %d, "p99_us": %d}\n',
      summary.duration, summary.requests, summary.bytes, e.connect, e.read, e.write,
      e.status, e.timeout, p50_us, p99_us))
end
