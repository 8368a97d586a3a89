"""Listening sockets that systemd passes and keeps: used, left open, and found again with what waits in them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.service_manager import ServiceManager, passing, service_manager


@pytest.fixture
def service(manager: ManagerUnderTest) -> Iterator[ServiceManager]:
    with service_manager(manager.base) as listening:
        yield listening


@contextlib.contextmanager
def started(
    manager: ManagerUnderTest, service: ServiceManager, passed: list[tuple[str, int]]
) -> Iterator[subprocess.Popen[bytes]]:
    """A manager as systemd starts it; ready when the context begins, and ended well when it ends."""
    fds = [fd for _name, fd in passed]
    names = ":".join(name for name, _fd in passed)
    told = {"NOTIFY_SOCKET": service.address, "FDSTORE": "2", "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names}
    command = [*passing(fds), *manager.command("run", str(manager.base / "groups.toml"))]
    manager.log_dir.mkdir(exist_ok=True)
    ready = service.lines.count("READY=1")
    with open(manager.log_dir / "foreground.log", "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **told}, pass_fds=fds)
    try:
        service.wait_for_line("READY=1", ready + 1)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        assert process.wait(HUNG_S) == 0
        service.read()


def group(address: str) -> str:
    return f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["{address}"]\n'


def connected(address: str) -> socket.socket:
    """A connection with a request in it."""
    path = address.partition("unix:")[2]
    host, _, port = address.rpartition(":")
    sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    sock.settimeout(HUNG_S)
    try:
        sock.connect(path or (host, int(port)))
    except OSError:
        sock.close()
        raise
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    return sock


def answer(sock: socket.socket) -> bytes:
    with sock:
        return sock.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_socket_of_a_unit_is_used_and_stays_the_units(
    manager: ManagerUnderTest, service: ServiceManager, kind: str
) -> None:
    path = manager.base / "a.sock"
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as unit:
        unit.bind(str(path) if kind == "unix" else ("127.0.0.1", 0))
        unit.listen(10)
        address = f"unix:{path}" if kind == "unix" else f"127.0.0.1:{unit.getsockname()[1]}"
        manager.write(group(address))
        early = connected(address)  # socket activation: this waits before there is a manager
        with started(manager, service, [("web.socket", unit.fileno())]):
            assert answer(early) == b"HTTP/1.1 200 OK"
            assert answer(connected(address)) == b"HTTP/1.1 200 OK"
        late = connected(address)  # nobody shut it, nobody removed its file
        assert service.stored == []
        with started(manager, service, [("web.socket", unit.fileno())]):
            assert answer(late) == b"HTTP/1.1 200 OK"
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_who_waits_while_the_service_is_restarted_is_served(
    manager: ManagerUnderTest, service: ServiceManager, kind: str
) -> None:
    path = manager.base / "a.sock"
    address = f"unix:{path}" if kind == "unix" else f"127.0.0.1:{manager.port()}"
    manager.write(group(address))
    with started(manager, service, []):
        service.wait_for("its listener is kept", lambda: len(service.stored) == 1)
        assert answer(connected(address)) == b"HTTP/1.1 200 OK"
    waiting = connected(address)
    with started(manager, service, service.stored) as process:
        assert answer(waiting) == b"HTTP/1.1 200 OK"
        [(name, _fd)] = service.stored
        moved = f"127.0.0.1:{manager.port()}"
        manager.write(group(moved))
        process.send_signal(signal.SIGHUP)
        service.wait_for("the old one is not kept", lambda: name not in [kept for kept, _fd in service.stored])
        service.wait_for("the new one is", lambda: len(service.stored) == 1)
        with pytest.raises(OSError, match=r"refused|No such file"):
            connected(address)
        assert answer(connected(moved)) == b"HTTP/1.1 200 OK"
    assert f"FDNAME={name}" in service.lines
    assert "FDSTOREREMOVE=1" in service.lines
