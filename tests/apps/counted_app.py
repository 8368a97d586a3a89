"""Writes down each call, and answers its number: the path of a GET, the body of a POST. `/die/N` ends its process.

The environment variable CALLS names the file; a line is one write(2) with O_APPEND, before anything is answered.
"""

import os
import signal


def application(environ, start_response):
    """Write the number down, then answer it."""
    path = environ.get("PATH_INFO", "/")
    number = path.rpartition("/")[2] or environ["wsgi.input"].read().decode()
    fd = os.open(os.environ["CALLS"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, f"{number}\n".encode())
    finally:
        os.close(fd)
    if path.startswith("/die/"):
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()
    body = number.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
