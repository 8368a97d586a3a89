"""Applications that patch the standard library under a manager: they restart, are recycled, and leave in order."""

from __future__ import annotations

import socket

import psutil
import pytest
from support.manager import APPS, ManagerUnderTest


@pytest.mark.parametrize("library", ["eventlet", "gevent"])
def test_restarts_is_recycled_and_leaves(manager: ManagerUnderTest, library: str) -> None:
    port = manager.port()
    manager.apply(
        f'[groups.a]\napp = "patched_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f'environment = {{ PATCHES = "{library}" }}\nthreads = 3\nrequest-timeout = "1s"\n'
    )
    first = manager.pids("a")[1]
    with manager.clients(port, 3) as clients:
        clients.wait_for_more(20)
        assert manager.cli("restart", "a").returncode == 0
    assert clients.failures == []
    second = manager.pids("a")[1]
    assert second != first
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        manager.wait_for("a successor is ready", lambda: manager.pids("a").get(1) not in (None, second))
    manager.wait_for("it has gone", lambda: not psutil.pid_exists(second))
    assert "request-timeout" in manager.log("manager")
    assert manager.get(port)[1] == b"done"
    last = manager.pids("a")[1]
    assert manager.cli("shutdown").returncode == 0
    manager.wait_for("it has left", lambda: not psutil.pid_exists(last))
    assert "Traceback" not in manager.log("a")
