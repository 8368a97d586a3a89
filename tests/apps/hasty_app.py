"""An application that wants a successor as soon as it is ready, and says so through our own objects."""

import gc
import json
import os
import threading


def leave_when_ready():
    """Wait until the process serves; then say that it leaves."""
    while True:
        for found in gc.get_objects():
            if type(found).__name__ == "Lifetime" and hasattr(found, "_server") and found._board.words[3] == 1:
                report = {"type": "leaving", "life": found._spec.life, "reason": "maximum-requests"}
                os.write(found._reporter._reports, json.dumps(report).encode() + b"\n")
                return


threading.Thread(target=leave_when_ready, daemon=True).start()


def application(environ, start_response):
    """Say who it is."""
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
