"""Answers with the environ it was given, as JSON, so that a test sees what a request became.

`wsgi.*` objects are left out; "body" is the request's body, both as Latin-1 text.
"""

import json


def application(environ, start_response):
    """Read the body and report."""
    report = {key: value for key, value in environ.items() if isinstance(value, str)}
    report["body"] = environ["wsgi.input"].read().decode("latin-1")
    body = json.dumps(report).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
