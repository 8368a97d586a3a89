"""Offences against PEP 3333, one per path; `/` lists them as JSON: path → what the client may see.

`500`: nothing was sent when the offence happened, so a whole 500 is due. `cut`: the answer had begun, so the connection
must be closed in a way that no client takes for a complete answer. `ok`: a complete answer is possible in spite of it
(what is too much is dropped). After each of them the process must go on serving: `/healthy` answers `fine`.
"""

import json
import sys
import threading

TEXT = ("Content-Type", "text/plain")
OFFENCES = {}


class Unexpected(BaseException):
    """Neither an Exception nor one of Python's own."""


def offence(expected):
    """Register a function as the application of the path that its name spells."""

    def register(function):
        OFFENCES["/" + function.__name__.replace("_", "-")] = (expected, function)
        return function

    return register


@offence("500")
def no_start_response(environ, start_response):
    return [b"body without a head"]


@offence("500")
def returns_none(environ, start_response):
    start_response("200 OK", [TEXT])


@offence("500")
def returns_number(environ, start_response):
    start_response("200 OK", [TEXT])
    return 7


@offence("500")
def returns_text(environ, start_response):
    start_response("200 OK", [TEXT])
    return "text, not bytes"


@offence("500")
def yields_text(environ, start_response):
    start_response("200 OK", [TEXT])
    return ["text, not bytes"]


@offence("cut")
def yields_text_later(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"bytes first"
    yield "then text"


@offence("500")
def raises_before_start(environ, start_response):
    raise ValueError("on purpose, before start_response")


@offence("500")
def raises_after_start(environ, start_response):
    start_response("200 OK", [TEXT])
    raise ValueError("on purpose, before the first block")


@offence("500")
def raises_at_first_block(environ, start_response):
    start_response("200 OK", [TEXT])
    yield from raising()


def raising():
    """Raise before anything is yielded."""
    raise ValueError("on purpose, in the iterator")
    yield b""


@offence("cut")
def raises_in_the_middle(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"x" * 200_000
    raise ValueError("on purpose, in the middle")


@offence("cut")
def raises_in_the_middle_of_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "400000")])
    yield b"x" * 200_000
    raise ValueError("on purpose, in the middle")


@offence("500")
def raises_system_exit(environ, start_response):
    raise SystemExit(3)


@offence("500")
def raises_keyboard_interrupt(environ, start_response):
    raise KeyboardInterrupt


@offence("500")
def raises_base_exception(environ, start_response):
    raise Unexpected("on purpose")


@offence("500")
def raises_generator_exit(environ, start_response):
    raise GeneratorExit


@offence("cut")
def too_short(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "20")])
    return [b"ten bytes!"]


@offence("ok")
def too_long(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return [b"ten bytes!", b"and what is too much"]


@offence("500")
def starts_twice(environ, start_response):
    start_response("200 OK", [TEXT])
    start_response("404 Not Found", [TEXT])
    return [b"which one?"]


def caught():
    """Return the exc_info of an exception that was raised and caught."""
    try:
        list(raising())
    except ValueError:
        return sys.exc_info()


@offence("ok")
def starts_again_with_exc_info(environ, start_response):
    start_response("500 Wrong", [TEXT])
    start_response("200 OK", [TEXT, ("Content-Length", "10")], caught())
    return [b"ten bytes!"]


@offence("cut")
def starts_again_after_sending(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"x" * 200_000
    start_response("500 Too Late", [TEXT], caught())
    yield b"never seen"


@offence("500")
def status_is_a_number(environ, start_response):
    start_response(200, [TEXT])
    return [b""]


@offence("500")
def status_is_none(environ, start_response):
    start_response(None, [TEXT])
    return [b""]


@offence("500")
def status_without_code(environ, start_response):
    start_response("OK", [TEXT])
    return [b""]


@offence("500")
def status_is_bytes(environ, start_response):
    start_response(b"200 OK", [TEXT])
    return [b""]


@offence("500")
def status_with_newline(environ, start_response):
    start_response("200 OK\r\nX-Smuggled: yes", [TEXT])
    return [b""]


@offence("500")
def headers_are_a_dict(environ, start_response):
    start_response("200 OK", {"Content-Type": "text/plain"})
    return [b""]


@offence("500")
def header_value_is_a_number(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Number", 7)])
    return [b""]


@offence("500")
def header_with_newline(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Split", "a\r\nX-Smuggled: yes")])
    return [b""]


@offence("500")
def header_with_bare_lf(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Split", "a\nX-Smuggled: yes")])
    return [b""]


@offence("500")
def header_with_bare_cr(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Split", "a\rX-Smuggled: yes")])
    return [b""]


@offence("500")
def header_with_nul(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Nul", "a\0b")])
    return [b""]


@offence("500")
def header_name_with_space(environ, start_response):
    start_response("200 OK", [TEXT, ("X Space", "a")])
    return [b""]


@offence("500")
def header_is_not_latin(environ, start_response):
    start_response("200 OK", [TEXT, ("X-Snow", "\N{SNOWMAN}")])
    return [b""]


@offence("ok")
def hop_by_hop_header(environ, start_response):
    start_response("200 OK", [TEXT, ("Transfer-Encoding", "chunked"), ("Keep-Alive", "timeout=1000")])
    return [b"ten bytes!"]


def hop_by_hop(name, value):
    """Register an application that sends a field which belongs to the server, and is left out."""

    def function(environ, start_response):
        start_response("200 OK", [TEXT, (name, value), ("Content-Length", "10")])
        return [b"ten bytes!"]

    function.__name__ = "hop_by_hop_" + name.replace("-", "_").lower()
    offence("ok")(function)


hop_by_hop("Connection", "keep-alive, X-Smuggled")
hop_by_hop("Keep-Alive", "timeout=1000")
hop_by_hop("Proxy-Authenticate", "Basic")
hop_by_hop("Proxy-Authorization", "Basic x")
hop_by_hop("TE", "trailers")
hop_by_hop("Trailer", "X-Smuggled")
hop_by_hop("Upgrade", "websocket")


@offence("500")
def two_lengths(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10"), ("Content-Length", "5")])
    return [b"ten bytes!"]


@offence("500")
def length_is_no_number(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "ten")])
    return [b"ten bytes!"]


@offence("500")
def starts_without_headers(environ, start_response):
    start_response("200 OK")
    return [b"body"]


@offence("ok")
def close_raises(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return ClosingBadly()


class ClosingBadly:
    """A complete body whose close() raises."""

    def __iter__(self):
        return iter([b"ten bytes!"])

    def close(self):
        """Fail."""
        raise ValueError("on purpose, in close")


@offence("ok")
def close_exits(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return ClosingForGood()


class ClosingForGood(ClosingBadly):
    """A complete body whose close() wants the process to end."""

    def close(self):
        """Leave."""
        raise SystemExit(3)


@offence("ok")
def iterator_without_close(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return iter([b"ten ", b"", b"bytes!"])


@offence("ok")
def huge_block(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return [b"ten bytes!" + bytes(64 << 20)]


@offence("ok")
def clears_environ(environ, start_response):
    environ.clear()
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return [b"ten bytes!"]


@offence("500")
def clears_environ_and_raises(environ, start_response):
    environ.clear()
    raise ValueError("on purpose, with an empty environ")


@offence("ok")
def spoils_environ(environ, start_response):
    environ.update(dict.fromkeys(environ, 7))
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    yield b"ten bytes!"


@offence("ok")
def writes_after_the_end(environ, start_response):
    write = start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return WritingLate(write)


class WritingLate(ClosingBadly):
    """A complete body, behind which another thread goes on writing."""

    def __init__(self, write):
        self.write = write

    def close(self):
        """Start the thread: the request is over."""
        threading.Thread(target=self.go_on).start()

    def go_on(self):
        """Write until it is refused; the server must send nothing of it."""
        try:
            while True:
                self.write(b"HTTP/1.1 200 OK\r\nX-Smuggled: yes\r\n\r\n")
        except RuntimeError:
            pass


@offence("ok")
def writes_and_returns(environ, start_response):
    write = start_response("200 OK", [TEXT, ("Content-Length", "10")])
    write(b"ten ")
    return [b"bytes!"]


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ.get("PATH_INFO", "/")
    if path in OFFENCES:
        return OFFENCES[path][1](environ, start_response)
    body = b"fine"
    if path == "/":
        body = json.dumps({name: expected for name, (expected, _function) in OFFENCES.items()}).encode()
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]
