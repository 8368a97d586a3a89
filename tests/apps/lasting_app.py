"""An application that lasts for as long as the environment says: LASTS_S seconds, then its process is gone.

`/` answers the process id, with the status in ANSWERS ("200 OK" by default).
"""

import os
import threading

LASTS_S = float(os.environ.get("LASTS_S", "0"))
ANSWERS = os.environ.get("ANSWERS", "200 OK")

if LASTS_S:
    ending = threading.Timer(LASTS_S, os._exit, [3])
    ending.daemon = True
    ending.start()


def application(environ, start_response):
    """Say who it is."""
    body = str(os.getpid()).encode()
    start_response(ANSWERS, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
