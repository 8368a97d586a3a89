"""A healthy script file with the default name of the callable, and a second one under `other`."""


def application(environ, start_response):
    """Answer the module's name and where the script is mounted."""
    body = (__name__ + " " + environ.get("SCRIPT_NAME", "") + "|" + environ.get("PATH_INFO", "")).encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def other(environ, start_response):
    """Answer `other`."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"other"]
