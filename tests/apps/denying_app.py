"""Answers 401 to everything, without a look at the body."""


def application(environ, start_response):
    """Deny."""
    start_response("401 Unauthorized", [("WWW-Authenticate", "Basic"), ("Content-Length", "6")])
    return [b"denied"]
