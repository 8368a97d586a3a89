"""wsgigroups and what people would use instead, side by side in one run. `python -m benchmarks.run --help`.

Runs in a process of its own; starts every server on loopback, one at a time, and ends it. Needs wrk.
"""
