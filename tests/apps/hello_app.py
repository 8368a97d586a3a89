"""The smallest healthy application. Tests use it wherever any answer will do; `create_app` is a factory."""


def application(environ, start_response):
    """Answer `Hello, World!` and a newline: 14 bytes."""
    body = b"Hello, World!\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def create_app(greeting="made by a factory"):
    """Return an application that answers `greeting`."""

    def made(environ, start_response):
        body = greeting.encode() + b"\n"
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return made
