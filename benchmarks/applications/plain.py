"""The measured application without a framework: one path per case.

`/` 14 bytes · `/items/7?page=2&q=word` tells in JSON what was asked · `/large` 64 KiB · `/echo` parses and answers JSON
· `/sleep/10` waits 10 ms · `/burn/2` uses 2 ms of processor time · `/mixed/fast?T` and `/mixed/slow?T` answer the query
string, the latter after 100 ms, so that the client can tell which of its requests was answered.
"""

import json
import time

HELLO = b"Hello, World!\n"
LARGE = b"x" * 65536
TEXT = ("Content-Type", "text/plain")
JSON = ("Content-Type", "application/json")


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ["PATH_INFO"]
    kind = TEXT
    if path == "/":
        body = HELLO
    elif path.startswith("/items/"):
        kind = JSON
        item = {
            "item": path[7:],
            "query": environ["QUERY_STRING"],
            "cookie": environ["HTTP_COOKIE"],
            "request": environ["HTTP_X_REQUEST_ID"],
        }
        body = json.dumps(item).encode()
    elif path == "/large":
        body = LARGE
    elif path == "/echo":
        data = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = json.dumps(data).encode()
    elif path.startswith("/sleep/"):
        time.sleep(int(path[7:]) / 1000)
        body = HELLO
    elif path.startswith("/burn/"):
        burn(int(path[6:]) / 1000)
        body = HELLO
    else:
        if path == "/mixed/slow":
            time.sleep(0.1)
        body = environ["QUERY_STRING"].encode()
    start_response("200 OK", [kind, ("Content-Length", str(len(body)))])
    return [body]


def burn(seconds):
    """Use so much processor time of this thread."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
