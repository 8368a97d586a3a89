"""The measured application without a framework: one path per case.

`/` 14 bytes · `/large` 64 KiB · `/echo` parses and answers JSON · `/sleep/10` waits 10 ms · `/burn/2` uses 2 ms of
processor time · `/mixed/fast?T` and `/mixed/slow?T` answer the query string, the latter after 100 ms, so that the
client can tell which of its requests was answered.
"""

import json
import time

HELLO = b"Hello, World!\n"
LARGE = b"x" * 65536
TEXT = ("Content-Type", "text/plain")


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ["PATH_INFO"]
    if path == "/":
        body = HELLO
    elif path == "/large":
        body = LARGE
    elif path == "/echo":
        data = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = json.dumps(data).encode()
    elif path.startswith("/sleep/"):
        time.sleep(int(path[7:]) / 1000)
        body = HELLO
    elif path.startswith("/burn/"):
        end = time.thread_time() + int(path[6:]) / 1000
        while time.thread_time() < end:
            pass
        body = HELLO
    else:
        if path == "/mixed/slow":
            time.sleep(0.1)
        body = environ["QUERY_STRING"].encode()
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]
