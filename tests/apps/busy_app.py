"""Uses the processor: `/5` burns 5 ms of this thread's CPU time and answers; `/hold` never lets go of the GIL.

Tests of cpu-time-limit and of fairness use the first, the test of deadlock-timeout the second: it sits in one C call
(a regular expression with exponential backtracking) that takes longer than any test.
"""

import re
import time


def application(environ, start_response):
    """Burn the milliseconds in the path."""
    word = environ.get("PATH_INFO", "/").strip("/")
    if word == "hold":
        re.match(r"(a+)+$", "a" * 64 + "b")
    end = time.thread_time() + float(word or 0) / 1000
    rounds = 0
    while time.thread_time() < end:
        rounds += 1
    body = b"burnt\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
