"""Answers through which gateway a request came: its id without the number, `gateway-SLOT-START`, or nginx, or none."""


def application(environ, start_response):
    """Answer the life of the gateway process."""
    body = (environ.get("REQUEST_ID", "none-0").rpartition("-")[0] or "nginx").encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
