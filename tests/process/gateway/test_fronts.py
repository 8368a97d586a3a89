"""The gateway beside nginx, Apache and HAProxy, each in front of a daemon: what applications are asked.

Where they differ there is a sentence, which is in docs/gateway.md, too. A difference without one is a fault, and so is
a sentence for what is equal. That a gateway and a daemon have the verdicts of the daemon alone is in test_verdicts.
"""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fronts import APACHE, HAPROXY, NGINX, front
from support.gateway import gateway, routes_to
from support.serving import HUNG_S, receive_all, serving
from support.tree import ROOT
from support.verdicts import CASES, statuses

from wsgigroups.runtime.wire.routes import Link

pytestmark = pytest.mark.needs(NGINX, APACHE, HAPROXY)
STRICTER, LAXER, OTHERWISE = "the gateway refuses it", "the gateway passes it on", "both pass it on, not the same"
HEAD = rb"(?is)^[^\n]*\r\n(?:[^\r]+\r\n)*"  # the request line, and some of the fields
# (kind, which of the three differ, the requests, why): the first that fits is the one that counts.
APART: list[tuple[str, set[str], bytes, str]] = [
    (
        STRICTER,
        {NGINX, HAPROXY},
        rb"(?<!\r)\n|\r\r\n",
        "Every line ends with CR and LF, also those of chunks and trailers.",
    ),
    (
        STRICTER,
        {APACHE, HAPROXY},
        rb"(?is)^[^\n]*HTTP/1\.0\r\n(?:[^\r]+\r\n)*transfer-encoding: chunked"
        rb"|" + HEAD[5:] + rb"(content-length: \d+\r\ntransfer-encoding|transfer-encoding: chunked\r\ncontent-length)",
        "Transfer-Encoding in HTTP/1.0, or beside Content-Length, is 400, where others ignore one of the two.",
    ),
    (
        STRICTER,
        {NGINX, APACHE, HAPROXY},
        rb"(?i)chunked\r\n\r\n(\d{17}|\d+ |\d+;(\r|a\x01|a{99}))",
        "The size of a chunk has 16 digits at most, no space behind it, and no extension that is malformed or long.",
    ),
    (
        STRICTER,
        {NGINX, APACHE, HAPROXY},
        rb"(?is)chunked\r\n\r\n.*\b0\r\n[^\r]",
        "Trailers are fields: their syntax and number count, and none may be about framing, the host or access.",
    ),
    (STRICTER, {APACHE, HAPROXY}, HEAD + rb"[ \t]", "A folded line is 400, where others make one line of it."),
    (
        STRICTER,
        {NGINX, APACHE, HAPROXY},
        rb"^(\r\n\r\n|GET(  |\t)|GET /\r\n|GET ftp:|GET http:///|[^\n]*HTTP/(1\.1 |1\.10|2\.0)\r\n)",
        "The request line has two single spaces, HTTP/1.x, and in a URL a host; one empty line may be before it.",
    ),
    (STRICTER, {NGINX}, rb"\r\nX(-A|\(A\): b|-\xe4: b)\r\n", "A field has a colon, and a name that is a token."),
    (STRICTER, {NGINX}, rb"\nHost: a:x\r\n", "The port of Host is a number."),
    (STRICTER, {NGINX}, rb"Expect: 200-ok", "An expectation that is not 100-continue is 417."),
    (
        STRICTER,
        {APACHE, HAPROXY},
        rb"(?i)(content-type|host|content-length): [^\r]*\r\n\1:|content-length: \d, ?\d",
        "Host, Content-Length and Content-Type come once, also with equal values.",
    ),
    (
        OTHERWISE,
        {NGINX, APACHE},
        rb"^GET https?://",
        "REQUEST_URI is the target as the client sent it, a whole URL too, where others make a path of it.",
    ),
    (OTHERWISE, {APACHE}, rb"^GET //", "A double slash stays one."),
    (LAXER, {HAPROXY}, rb"^GET http://", "A URL as the target counts for more than Host (RFC 9112 section 3.2.2)."),
    (
        LAXER,
        {NGINX, APACHE},
        rb"^GET /(100%|a%0Ab%00)",
        "A broken or strange escape of the path reaches the application, as it does from a daemon.",
    ),
    (LAXER, {NGINX, APACHE}, rb"\nHost:\r\n", "Host may be empty (RFC 9112 section 3.2)."),
    (LAXER, {APACHE}, rb"\nHost: 0\.0\.0\.0=5000", "Host may have each sign of a name (RFC 3986 section 3.2.2)."),
    (
        LAXER,
        {NGINX},
        rb"\nIf-Match: .*\r\nIf-Match",
        "A field that is a list may have several lines (RFC 9110 section 5.3).",
    ),
    (LAXER, {NGINX}, rb"^(get|!#)", "A method may be any token (RFC 9110 section 9.1)."),
    (
        LAXER,
        {NGINX, APACHE, HAPROXY},
        rb"(?s)^.{8000}|X-12: 1",
        "A line may have 8,190 bytes, a head 100 fields and nearly 64 KiB; a proxy adds fields of its own to those.",
    ),
    (LAXER, {HAPROXY}, rb"(?is)^GET [^\n]*HTTP/1\.0\r\n.*content-length", "GET may have a body in HTTP/1.0."),
    (LAXER, {HAPROXY}, rb"(?i)upgrade: websocket", "Upgrade is left out of the request, and not looked at."),
]  # fmt: skip
NAMES = {NGINX: "nginx", APACHE: "Apache", HAPROXY: "HAProxy"}


class Witness:
    """An application that remembers what it was asked: method, target and body."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes | type[OSError]]] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        try:
            body: bytes | type[OSError] = environ["wsgi.input"].read()
        except OSError as error:
            body = type(error)
        self.seen.append((environ["REQUEST_METHOD"], environ["REQUEST_URI"], body))
        start_response("200 OK", [("Content-Length", "2")])
        return [b"OK"]

    def outcomes(self, exchange: Callable[[bytes], bytes]) -> list[tuple[int, list[Any]]]:
        """Return for each case how many answers there were, and what was asked."""
        found = []
        for _name, data in CASES:
            self.seen = []
            answers = len(statuses(exchange(data)))
            found.append((answers, self.seen))
        return found


def behind(program: str) -> list[tuple[int, list[Any]]]:
    """Ask one of the three."""

    def exchange(data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", port), HUNG_S) as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            except OSError:  # it has answered, and what it said is there to be read
                pass
            return receive_all(sock)

    witness = Witness()
    with serving(witness) as daemon, tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with front(program, Path(directory), daemon.address[1]) as port:
            return witness.outcomes(exchange)


def kind_of(here: list[Any], there: list[Any]) -> str:
    """Say how what the application was asked differs."""
    if here == there[: len(here)]:
        return STRICTER
    return LAXER if there == here[: len(there)] else OTHERWISE


def test_what_differs_from_other_fronts_has_a_reason() -> None:
    witness = Witness()
    with (
        serving(witness, unix=True, trusted_proxies=("unix",)) as linked,
        gateway(routes_to(Link(linked.address))) as ours,
    ):
        here = witness.outcomes(ours.exchange)
    assert all(len(asked) <= answers for answers, asked in here), "somebody was asked, and nothing was answered"
    unexplained, used = [], set()
    for program in (NGINX, APACHE, HAPROXY):
        for (name, data), (_answers, asked), (_there, asked_there) in zip(CASES, here, behind(program), strict=True):
            if asked == asked_there:
                continue
            kind = kind_of(asked, asked_there)
            for number, (fits, programs, pattern, _why) in enumerate(APART):
                if fits == kind and program in programs and re.search(pattern, data):
                    used.add((number, program))
                    break
            else:
                unexplained.append((NAMES[program], kind, name, data[:200], asked, asked_there))
    assert not unexplained
    assert {(number, program) for number, row in enumerate(APART) for program in row[1]} == used, "no difference"


def test_the_differences_are_documented() -> None:
    text = " ".join((ROOT / "docs" / "gateway.md").read_text(encoding="utf-8").split())
    assert [why for _kind, _programs, _pattern, why in APART if why not in text] == []
