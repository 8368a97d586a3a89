"""The uwsgi protocol at a server process: what makes uWSGI load code or change itself has no effect here."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from support import corpus
from support.serving import receive_all
from support.serving_processes import Processes, processes

EVIL = {
    "UWSGI_FILE": "{}/evil.py",
    "UWSGI_SCRIPT": "{}/evil.py",
    "UWSGI_MODULE": "evil",
    "UWSGI_CALLABLE": "application",
    "UWSGI_PYHOME": "{}",
    "UWSGI_CHDIR": "{}",
    "UWSGI_SETENV": "EVIL=1",
    "UWSGI_APPID": "evil",
    "UWSGI_TOUCH_RELOAD": "{}/evil.py",
    "UWSGI_POSTFILE": "{}/posted",
}
SAME = (
    "pid",
    "cwd",
    "root",
    "environ",
    "modules",
    "sys_path",
    "uids",
    "gids",
    "limits",
    "argv",
    "descriptors",
)


def ask(servers: Processes, data: bytes) -> bytes:
    """Send, close our side, and return all that comes."""
    with servers.connect() as sock:
        sock.sendall(data)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def identity(servers: Processes) -> dict[str, Any]:
    """Return what the process is."""
    answer = ask(servers, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    found = json.loads(answer.partition(b"\r\n\r\n")[2])
    for fd in [fd for fd, target in found["descriptors"].items() if target.startswith("socket:")]:
        del found["descriptors"][fd]  # the connection that asks
    return {key: found[key] for key in SAME}


@pytest.mark.parametrize("trusted", [False, True], ids=["stranger", "trusted"])
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_variables_that_steer_uwsgi(unix: bool, trusted: bool, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    claims = {name: value.format(tmp_path) for name, value in EVIL.items()}
    settings = {"trusted_proxies": ["127.0.0.0/8", "unix"] if trusted else []}
    with processes("identity_app:application", unix=unix, settings=settings) as servers:
        before = identity(servers)
        for pair in claims.items():
            assert ask(servers, corpus.uwsgi(pair)).startswith(b"HTTP/1.1 200 ")
        answer = ask(servers, corpus.uwsgi(*claims.items(), REQUEST_URI="/environ", PATH_INFO="/environ"))
        environ = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert not [key for key in environ if key.startswith("UWSGI")]
        assert identity(servers) == before
    assert not marker.exists()


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_packets_that_are_none(unix: bool) -> None:
    packet = corpus.uwsgi()
    evil = [corpus.uwsgi_packet(*corpus.BASIC, modifiers=(0, second)) for second in range(1, 256)]
    evil += [corpus.uwsgi_packet(*corpus.BASIC, modifiers=(first, 0)) + b"\r\n\r\n" for first in range(1, 256)]
    unfinished = [packet[: len(packet) - cut] for cut in range(1, 21)]
    unfinished += [b"\0\xff\xff\0" + b"x" * 10, b"\0\xff\xff\0"]
    with processes("identity_app:application", unix=unix) as servers:
        before = identity(servers)
        for data in evil:
            assert ask(servers, data)[9:12] in (b"400", b"501", b"505"), data[:4]
        for data in unfinished:
            assert ask(servers, data) == b"", data[:4]
        assert ask(servers, packet + b"more than that").count(b"HTTP/1.1 ") == 1
        assert identity(servers) == before
        assert servers.word(servers.processes[0], "requests_total") in (2, 3)  # counted after the answer
        assert "Traceback" not in servers.logged()
