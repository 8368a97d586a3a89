"""Takes every descriptor that its process may have at `/hoard`, gives them back at `/free`; answers the process id."""

import os

hoard = []


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ.get("PATH_INFO", "/")
    if path == "/hoard":
        try:
            while True:
                hoard.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
    while path == "/free" and hoard:
        os.close(hoard.pop())
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
