"""The accelerator's part of a gateway's short way, beside what Python comes to: for tests and for the fuzzer."""

from __future__ import annotations

import select
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wsgigroups.runtime.gateway import answers, forwarding, short_way
from wsgigroups.runtime.gateway.forwarding import ConnectionFacts, RequestFacts
from wsgigroups.runtime.gateway.table import RouteTable
from wsgigroups.runtime.protocol import heads, uwsgi
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT, Limits
from wsgigroups.runtime.protocol.names import UNTRUSTED
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

DIRECT = ConnectionFacts("203.0.113.9", "40000", "192.0.2.1", "80")
MOUNTS = (MountRoute("/", "app"), MountRoute("/api", "app", "api:app"), MountRoute("/api/v2/é", "app", "ł:app"))


class Asking:
    """An Asker, and the daemon that it asks. `link`: may be changed before the first request."""

    def __init__(self, extension: Any, place: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(Path(place, "socket")))
        self.listener.listen(8)
        self.epoll = select.epoll()
        self.ask = extension.Asker(short_way.fate_of, self.epoll.fileno())
        self.link = Link(str(Path(place, "socket")))
        self.site = SiteRoute("www.example.org", ("*.example.net",), MOUNTS, (StaticRoute("/api/files", 0),))
        self.tables: dict[bool, short_way.HostTable] = {}
        self.number = 0

    def hosts(self, secure: bool) -> short_way.HostTable:
        """Return what is known of the site by hosts."""
        if secure not in self.tables:
            listeners = (ListenerRoute("here", ("www",)),)
            table = RouteTable(
                Routes(listeners, {"www": self.site}, {"app": self.link}),
                ["here"],
                [0],
                [],
                lambda _level, _text: None,
                time.monotonic_ns,
            )
            table.directories = []  # a number that stands for one
            self.tables[secure] = short_way.HostTable(table, 0, secure)
        return self.tables[secure]

    def asked(self, data: bytes, facts: ConnectionFacts = DIRECT, limits: Limits = DEFAULT) -> bytes | None:
        """Return the packet that a daemon gets for a head, None if it gets none."""
        hosts = self.hosts(facts.tls is not None)
        about = short_way.packed(facts)
        assert about is not None
        found: Any = ""
        while isinstance(found, str):
            if found:
                hosts.learn(found)
            self.number += 1
            found = self.ask(
                data, about, hosts.sites, f"gateway-1-{self.number}", 1700, limits.short_bytes, limits.fields
            )
        if found is None:
            return None
        with socket.socket(fileno=found[0]), self.listener.accept()[0] as sock:
            packet = sock.recv(70000)
            assert uwsgi.size_of(packet) == len(packet)
            return packet

    def by_python(self, data: bytes, facts: ConnectionFacts = DIRECT) -> dict[str, str]:
        """Return the variables for a plain head. Raises ProtocolError for one that is refused."""
        base = {"SCRIPT_NAME": "", "REMOTE_ADDR": facts.remote_address}
        head = heads.plainly(data, base, UNTRUSTED, DEFAULT)
        if head.length or head.chunked or head.expects or not head.keep_alive or not head.is_http_1_1:
            raise ProtocolError(0, "nothing for the short way")
        scheme = "http" if facts.tls is None else "https"
        host = head.environ["HTTP_HOST"]
        match = self.hosts(facts.tls is not None).table.router.find(0, host, head.environ["PATH_INFO"])
        if match.mount is None:
            raise ProtocolError(0, "nothing for a daemon")
        request = RequestFacts(
            facts.remote_address,
            facts.remote_port,
            scheme,
            host,
            facts.remote_address,
            f"gateway-1-{self.number}",
            1700,
        )
        return dict(forwarding.variables(head.environ, facts, request, match))


@contextmanager
def asking(extension: Any) -> Iterator[Asking]:
    """Have a daemon that is asked."""
    with tempfile.TemporaryDirectory() as place:
        found = Asking(extension, place)
        try:
            yield found
        finally:
            found.listener.close()
            found.epoll.close()


def relayed(relay: Any, data: bytes, line_limit: int = 0, own: bytes = b"") -> Any:
    """Return what the relay makes of what a daemon sends at once."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(data)
        return relay(near.fileno(), line_limit, own)


def relayed_by_python(data: bytes, line_limit: int = 0, own: bytes = b"") -> Any:
    """Return the same for an answer whose length is known. Raises AnswerError."""
    answer = answers.exactly(data, line_limit)
    if answer is None or answer.length is None or not answer.has_body("GET") or answer.refused:
        return None
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in answer.fields)]
    head = "\r\n".join([*lines, ""]).encode("latin-1") + own + b"Content-Length: %d\r\n\r\n" % answer.length
    body = data[answer.end :]
    return answer.status, answer.length, len(body), head + body
