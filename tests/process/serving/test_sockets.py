"""The corpus over real sockets to real processes, whole and in pieces: the verdicts of the unit tests hold there."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest
from support.serving import receive_all
from support.serving_processes import Processes, processes
from unit.protocol import corpus


def answer(servers: Processes, pieces: list[bytes]) -> bytes:
    """Send and return everything until the server's end."""
    with servers.connect() as sock:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            try:
                sock.sendall(piece)
            except ConnectionError:  # refused already
                break
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def verdict_of(data: bytes) -> Any:
    """Return a refusal's status, or the environ that the application reported."""
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    return json.loads(body) if status == 200 and body.startswith(b"{") else status


@pytest.mark.parametrize("engine", ["httptools", "h11", "split"])
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_corpus(unix: bool, engine: str) -> None:
    wrong = []
    with processes("reporting_app:application", unix=unix, engine=engine) as servers:
        for name, data, verdict in corpus.CASES:
            found = [verdict_of(answer(servers, pieces)) for pieces in ([data], data.splitlines(keepends=True)[:200])]
            for one in found:
                if isinstance(verdict, int):
                    right = one == verdict
                else:
                    expected = {
                        key: value.decode("latin-1") if isinstance(value, bytes) else value
                        for key, value in verdict.items()
                        if not key.startswith("wsgi.")
                    }
                    right = isinstance(one, dict) and {key: one.get(key) for key in expected} == expected
                if not right:
                    wrong.append((name, one, verdict))
        assert wrong == []
        assert "Traceback" not in servers.logged()
        assert servers.stop(servers.processes[0]) == 0
