"""Managers and daemons that may open few files: what fits is served, and who has no place costs no processor time."""

from __future__ import annotations

import contextlib
import http.client
import socket
from pathlib import Path

import pytest
from support.faults import outlives
from support.gate import Gate
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.proc import descriptors, processor_s


def test_with_64_descriptors_a_manager_answers_and_starts_what_fits(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = f'[groups.a]\napp = "hello_app"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\nthreads = 1\n'
    text = text.replace('"hello_app"', '"hello_app:application"')
    with manager.foreground(str(manager.write(text)), limits="-n 64") as process:
        up = lambda: manager.client.running() and manager.status()["groups"] and manager.pids("a")  # noqa: E731
        manager.wait_for("ready", up)
        assert manager.cli("scale", "a=20", "--no-wait").returncode == 0

        def told() -> bool:
            group = manager.group("a")
            refused = [p for p in group["processes"] if p["state"] == "backoff"]
            settled = all(p["state"] in ("ready", "backoff") for p in group["processes"])
            return settled and len(refused) + group["processes_ready"] == 20 and all(p["failures"] > 2 for p in refused)

        manager.wait_for("backoff", told)
        group = manager.group("a")
        assert 1 <= group["processes_ready"] < 20
        assert "RLIMIT_NOFILE allows 64" in group["last_error"]["message"]
        assert manager.get(port)[0] == 200
        used = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        assert used <= 64 - 10, "too few are left for those who ask"

        held = [socket.socket(socket.AF_UNIX) for _number in range(100)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex(str(manager.run_dir / "control.sock"))
        for sock in held:
            sock.close()
        manager.wait_for("it answers again", manager.client.running)
        assert manager.group("a")["processes_ready"] >= 1

        process.terminate()
        assert not outlives(process.pid, HUNG_S)
        assert process.wait() == 0
    log = manager.foreground_log()
    assert "Traceback" not in log
    assert len(log) < 200_000


def test_a_daemon_with_64_descriptors_serves_400_clients_in_turn(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = (
        f'[groups.a]\napp = "gated_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nthreads = 3\n'
        "limit-nofile = 64\nlisten-backlog = 512\nconnect-timeout = 0\nqueue-timeout = 0\n"
    )
    with Gate(manager.base) as gate, contextlib.ExitStack() as stack:
        manager.apply(text)
        (pid,) = manager.pids("a").values()
        first = stack.enter_context(socket.create_connection(("127.0.0.1", port), HUNG_S))
        asking = []
        for _client in range(400):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), HUNG_S))
            asking.append(sock)  # who waits for an answer keeps his place
            sock.sendall(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for _thread in range(3):
            gate.wait_arrival()
        assert descriptors(pid) < 64
        first.close()
        gate.close()
        for sock in asking:  # those who have a place, and those whose turn comes when others have left
            sock.settimeout(HUNG_S)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        with manager.clients(port, 4, "/open") as clients:
            clients.wait_for_more(50)
        assert clients.failures == []
        assert manager.pids("a") == {1: pid}
        assert manager.group("a")["restarts"] == 0


@pytest.mark.measured
def test_a_daemon_without_a_free_descriptor_waits_and_accepts_again(manager: ManagerUnderTest) -> None:
    port, window_s = manager.port(), 2.0
    manager.apply(
        f'[groups.a]\napp = "hoarding_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        "limit-nofile = 64\nlisten-backlog = 512\nthreads = 3\n"
    )
    (pid,) = manager.pids("a").values()
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)
    with contextlib.closing(kept), contextlib.ExitStack() as idle:

        def asks(path: str) -> bytes:
            kept.request("GET", path)
            return kept.getresponse().read()

        assert asks("/hoard") == str(pid).encode()
        for _client in range(400):
            idle.enter_context(socket.create_connection(("127.0.0.1", port), HUNG_S))
        used_s = processor_s(pid)
        assert outlives(pid, window_s)
        share = (processor_s(pid) - used_s) / window_s
        assert share < 0.2, f"{share:.0%} of a core while nothing can be accepted"
        assert "cannot accept connections for the next second" in manager.log("a")
        assert asks("/free") == str(pid).encode()
        idle.close()
        assert manager.get(port) == (200, str(pid).encode())
    assert manager.group("a")["restarts"] == 0
    assert len(manager.log("a").splitlines()) < 50
