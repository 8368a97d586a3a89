"""Very large bodies: /down yields as many bytes as the query says, /file sends the file it names, /up counts.

/fresh is as /down with blocks of 64 KiB that nobody else has, /block yields all in one.
"""

BLOCK = bytes(1 << 20)
BYTES = ("Content-Type", "application/octet-stream")


def application(environ, start_response):
    """Dispatch on the path."""
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/down":
        start_response("200 OK", [BYTES, ("Content-Length", query)])
        return blocks(int(query))
    if path == "/fresh":
        start_response("200 OK", [BYTES, ("Content-Length", query)])
        return (b"x" * 65536 for _ in range(int(query) // 65536))
    if path == "/block":
        start_response("200 OK", [BYTES, ("Content-Length", query)])
        return [bytes(int(query))]
    if path == "/file":
        start_response("200 OK", [BYTES])
        return environ["wsgi.file_wrapper"](open(query, "rb"))
    count = 0
    while True:
        block = environ["wsgi.input"].read(1 << 20)
        if not block:
            break
        count += len(block)
    body = str(count).encode()
    start_response("200 OK", [BYTES, ("Content-Length", str(len(body)))])
    return [body]


def blocks(size):
    """Yield `size` bytes."""
    for _ in range(size // len(BLOCK)):
        yield BLOCK
    if size % len(BLOCK):
        yield BLOCK[: size % len(BLOCK)]
