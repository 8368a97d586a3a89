"""Answers 401 to everything, without a look at the body."""


def application(environ, start_response):
    """Deny."""
    fields = [("WWW-Authenticate", "Basic"), ("Content-Type", "text/plain"), ("Content-Length", "6")]
    start_response("401 Unauthorized", fields)
    return [b"denied"]
