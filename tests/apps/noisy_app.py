"""Prints a long line for each request and reads the body: `/` answers its length."""

import sys


def application(environ, start_response):
    """Print to stdout, to stderr and to wsgi.errors, then answer."""
    size = 0
    while True:
        block = environ["wsgi.input"].read(65536)
        if not block:
            break
        size += len(block)
    print("said", "x" * 200)
    print("complained", "x" * 200, file=sys.stderr)
    environ["wsgi.errors"].write("error\n")
    body = str(size).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
