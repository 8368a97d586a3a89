"""One process of wsgigroups' server with cProfile in its request threads: `python profiled_server.py APPLICATIONS PORT
THREADS` serves until standard input ends, then prints what each function took as JSON.

Runs in a daemon's interpreter. The monitor thread is not profiled. From Python 3.12 on
there is one profile for all threads, before one for each.
"""

from __future__ import annotations

import cProfile
import json
import sys
import threading
from types import CodeType, FrameType

from alone import listen, make_server  # type: ignore[import-not-found]

from wsgigroups.runtime.wire.board import WORD

PROFILES: list[cProfile.Profile] = []


def begin(_frame: FrameType, _event: str, _argument: object) -> None:
    """Replace this hook by a profile of the thread, where it is one that answers requests."""
    sys.setprofile(None)
    if threading.current_thread().name.startswith("wsgigroups-request"):
        profile = cProfile.Profile()
        try:
            profile.enable()
        except ValueError:  # another one is active already: it sees this thread too
            return
        PROFILES.append(profile)


def collect() -> dict[str, list[float]]:
    """Return name → calls, own seconds, seconds with what it called."""
    found: dict[str, list[float]] = {}
    for profile in PROFILES:
        for entry in profile.getstats():
            sums = found.setdefault(name_of(entry.code), [0, 0.0, 0.0])
            for place, value in enumerate((entry.callcount, entry.inlinetime, entry.totaltime)):
                sums[place] += value
    return found


def name_of(code: CodeType | str) -> str:
    """Return `file function`, or the words of a built-in one."""
    if isinstance(code, str):
        return code.strip("<>").removeprefix("built-in method ").removeprefix("method ").replace("' objects", "'")
    for directory in ("/wsgigroups/runtime/", "/site-packages/"):
        _before, found, inside = code.co_filename.partition(directory)
        if found:
            return f"{inside} {code.co_name}"
    return f"{code.co_filename.rpartition('/')[2]} {code.co_name}"


def main(applications: str, port: str, threads: str) -> None:
    """Serve, and print the profile."""
    server, page = make_server(applications, listen(int(port)), int(threads))
    threading.setprofile(begin)  # for good: request threads start when they are needed
    server.start()
    sys.stdin.read()
    print(json.dumps({"requests": page.words[WORD["requests_total"]], "functions": collect()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
