"""What becomes of an application's answer: offences against PEP 3333, headers, clients that leave."""

from __future__ import annotations

import signal

from support.conformance.asking import Asked
from support.conformance.case import Case, Facts, better, on_purpose
from support.looking import wait

_SIZES = (32765, 32766, 32768, 32769, 40000)
_LEFT_OUT = {"huge-block"}  # 64 MiB of memory for each side


def _offences(asked: Asked) -> Facts:
    """Each offence of `misbehaving_app`: what the client gets."""
    names = [name.lstrip("/") for name in asked.json("/offence/")]
    facts = {f"`{name}`": asked.get(f"/offence/{name}").outcome for name in names if name not in _LEFT_OUT}
    return {**facts, "after all of them": asked.get("/offence/healthy").body.decode()}


def _fields(asked: Asked) -> Facts:
    twice = asked.get("/twice")
    elsewhere = asked.get("/elsewhere")
    return {
        "a header line of 8000 bytes": asked.get("/large-field?8000").outcome,
        "a header line above header-buffer-size": asked.get("/large-field?9000").outcome,
        "two headers of one name": twice.fields.get("X-Twice", ""),
        "status 200 with a path in Location": "as it is" if elsewhere.body == b"here" else "another page in its place",
        "one block without Content-Length": asked.get("/no-length").fields.get("Content-Length", "chunked"),
        "204 with a body": repr(asked.get("/no-content").body),
        "HEAD": repr(asked.get("/pid", method="HEAD").body),
        "headers in a tuple": asked.get("/tuple-of-headers").outcome,
        "start_response twice, nothing sent": asked.get("/replaced-start").outcome,
        "print, stderr and wsgi.errors": asked.get("/printed").outcome,
    }


def _lines(asked: Asked) -> Facts:
    """Header lines around the default of header-buffer-size, the name and what stands between included."""
    around = len("X-Large: ")
    return {f"a line of {size} bytes": asked.get(f"/large-field?{size - around}").outcome for size in _SIZES}


def _leaving(asked: Asked) -> Facts:
    with asked.connection() as sock:
        sock.sendall(f"GET {asked.prefix}/endless HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert sock.recv(65536)
    closed = asked.notes / "closed"
    wait(closed.exists, lambda: f"close() was not called, ours: {asked.ours}", 60)
    killed = asked.get("/killed").outcome
    after = asked.get("/pid").outcome
    pid = asked.pid()
    asked.send_to_process(pid, signal.SIGKILL)
    return {
        "a client that leaves within an endless answer": "close() is called",
        "a request in a process that is killed": killed,
        "the request after it": after,
        "an idle process that is killed is replaced": asked.left(pid),
    }


NO_FRONT = (
    "Daemons answer clients themselves, so nobody is left to answer for a process that has gone. A gateway in front "
    "makes it 502."
)
_OFFENCES = {
    **better(
        "The answer ends in a way that no client takes for its end; Apache ends a chunked answer as if it were whole.",
        "`yields-text-later`", "`raises-in-the-middle`", "`starts-again-after-sending`",
    ),
    **on_purpose(
        "PEP 3333 forbids a second start_response without exc_info, and which of the two was meant is a guess.",
        "`starts-twice`",
    ),
    **on_purpose("RFC 9110 forbids NUL in a field.", "`header-with-nul`"),
    **better(
        "Fields of a connection are the server's: they are left out, and the answer is what it should be.",
        "`hop-by-hop-header`",
    ),
    **on_purpose("RFC 9112 takes two lengths for an attack: which one is right is a guess.", "`two-lengths`"),
}  # fmt: skip
_FIELDS = {
    **better("Each is a line of its own, as the application has sent it.", "two headers of one name"),
    **better(
        "An application's answer is its answer; Apache takes a path in Location for an order to serve another page.",
        "status 200 with a path in Location",
    ),
    **better(
        "The length of a single block is known, so the client gets it, and the connection can be kept by HTTP/1.0 too.",
        "one block without Content-Length",
    ),
    **on_purpose(
        "PEP 3333 forbids a second start_response without exc_info.", "start_response twice, nothing sent"
    ),
}  # fmt: skip

CASES = (
    Case("offences", "Offences against PEP 3333, by their names in `tests/apps/misbehaving_app.py`", _offences,
         apart=_OFFENCES),
    Case("fields", "Headers", _fields, options={"header-buffer-size": 8192}, apart=_FIELDS),
    Case("lines", "Header lines, without header-buffer-size", _lines,
         apart=on_purpose("The size is that of the line; mod_wsgi's buffer has room for the end of the line, too.",
                          "a line of 32766 bytes", "a line of 32768 bytes")),
    Case("leaving", "Clients that leave, and processes that die", _leaving,
         apart=on_purpose(NO_FRONT, "a request in a process that is killed")),
)  # fmt: skip
