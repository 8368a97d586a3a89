"""The states of a connection: every move from each to each, and that nothing else makes them."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest
from support.serving import serving

import wsgigroups.runtime
from wsgigroups.runtime.front import connection as states
from wsgigroups.runtime.front.connection import Connection, ImpossibleMoveError
from wsgigroups.runtime.protocol.names import UNTRUSTED

NAMES = ("IDLE", "POSTED", "HEAD", "BODY", "QUEUED", "RUNNING", "FLUSHING", "LINGERING", "CLOSED")
MOVES = {
    "IDLE": "HEAD BODY RUNNING LINGERING CLOSED",
    "POSTED": "IDLE FLUSHING CLOSED",
    "HEAD": "BODY RUNNING LINGERING CLOSED",
    "BODY": "RUNNING LINGERING CLOSED",
    "QUEUED": "RUNNING LINGERING CLOSED",
    "RUNNING": "IDLE POSTED QUEUED FLUSHING LINGERING CLOSED",
    "FLUSHING": "IDLE LINGERING CLOSED",
    "LINGERING": "CLOSED",
    "CLOSED": "",
}


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_every_move(before: str, after: str) -> None:
    with socket.socket() as sock:
        connection = Connection(sock, {}, UNTRUSTED, "peer", False)
        assert connection.state == states.IDLE
        connection.state = was = getattr(states, before)
        if after in MOVES[before].split():
            connection.to(getattr(states, after))
            assert connection.state == getattr(states, after)
        else:
            with pytest.raises(ImpossibleMoveError, match=f"is {before.lower()} cannot be {after.lower()}"):
                connection.to(getattr(states, after))
            assert connection.state == was


def test_the_documentation_has_the_same_table() -> None:
    text = (Path(__file__).parents[3] / "docs" / "request-path.md").read_text()
    rows = text.partition("| from | to |")[2].partition("\n\n")[0]
    moves = re.findall(r"^\| ([a-z]+) \| ([a-z, ]+) \|$", rows, re.MULTILINE)
    found = {name.upper(): sorted(row.upper().split(", ")) for name, row in moves}
    assert found == {name: sorted(states.split()) for name, states in MOVES.items() if states}


def test_nobody_else_changes_a_state() -> None:
    runtime = Path(wsgigroups.runtime.__file__).parent
    for room in ("front", "calls", "wsgi", "records"):
        for path in (runtime / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                for target in targets:
                    if isinstance(target, ast.Attribute) and target.attr == "state":
                        assert path.name == "connection.py", f"{path}:{node.lineno}"  # type: ignore[attr-defined]


def test_a_move_that_cannot_be_costs_that_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def application(_environ: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]
        return [b"x"]

    with serving(application) as running:
        connections = running.server.poller.connections
        kept = connections.kept
        monkeypatch.setattr(connections, "kept", lambda connection, now_ns: [kept(connection, now_ns) for _ in "12"])
        request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        with running.connect() as sock:
            sock.sendall(request)
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(ConnectionResetError):
                assert sock.recv(1000) == b"never"
        monkeypatch.setattr(connections, "kept", kept)
        assert running.exchange(request).startswith(b"HTTP/1.1 200 ")
        assert any("cannot be idle" in text for _level, text in running.logged)
