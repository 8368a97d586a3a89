"""An application whose mold leaves a process behind before it forks: in a session of its own, with nothing open.

The module of ours that forks is the tenant's to change. Answers with the pids of what was left behind.
"""

import os
import sys
import time

MODULE = sys.modules.get("wsgigroups_runtime.daemon.mold")
NOTES = []  # what a mold knows, its processes do


def leave_one():
    """Fork it; return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.closerange(0, 4096)
            while True:
                time.sleep(60)
        finally:
            os._exit(0)
    return pid


def application(environ, start_response):
    """Answer with the pids of what its mold has left behind, if it comes from one."""
    body = " ".join(map(str, NOTES)).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


if MODULE is not None:
    be_mold = MODULE._be_mold

    def mold(*args):
        """Be the mold that ours makes, and one that has a child."""
        NOTES.append(leave_one())
        be_mold(*args)

    MODULE._be_mold = mold
