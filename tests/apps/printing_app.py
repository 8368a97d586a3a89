"""Prints what is asked for, as an application logs: `/x` prints "said /x" to stdout; `/flood` prints much."""


def application(environ, start_response):
    """Print, then answer."""
    path = environ["PATH_INFO"]
    if path == "/flood":
        for number in range(20000):
            print("line", number, "x" * 200)
    print("said", path)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"said"]
