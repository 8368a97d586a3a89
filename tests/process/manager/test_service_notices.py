"""A manager as a service: what it tells the service manager from its start to its end, and who else could tell it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest
from support.service_manager import ServiceManager, service_manager

from wsgigroups.manager.systemd.notifying import VARIABLES


@pytest.fixture
def service(manager: ManagerUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    with service_manager(manager.base) as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
        yield listening


def group(name: str, port: int, app: str = "hello_app:application", more: str = "") -> str:
    return f'[groups.{name}]\napp = "{app}"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{more}\n'


def test_ready_reloading_stopping(
    manager: ManagerUnderTest, service: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    port = manager.port()
    path = manager.write(group("a", port))
    with manager.foreground(str(path)) as process:
        service.wait_for_line("READY=1")
        assert manager.get(port)[0] == 200  # at once: that is what ready says
        service.wait_for("all is well", lambda: service.last("STATUS") == "1 of 1 groups ready")
        service.wait_for_line("WATCHDOG=1", service.lines.count("WATCHDOG=1") + 3)
        for pid in (process.pid, *manager.pids("a").values()):
            inherited = Path(f"/proc/{pid}/environ").read_bytes() if pid != process.pid else b""
            assert not any(name.encode() in inherited for name in VARIABLES)

        manager.write(group("a", port, more="threads = 3"))
        process.send_signal(signal.SIGHUP)
        service.wait_for_line("RELOADING=1")
        service.wait_for_line("READY=1", 2)
        assert int(service.last("MONOTONIC_USEC")) > 0
        assert manager.group("a")["state"] == "ready"

        path.write_text("no configuration")
        process.send_signal(signal.SIGHUP)
        service.wait_for_line("RELOADING=1", 2)
        service.wait_for_line("READY=1", 3)

        process.terminate()
        service.wait_for_line("STOPPING=1")
        assert process.wait(40) == 0
    service.read()
    assert "MAINPID" not in {line.partition("=")[0] for line in service.lines}


def test_a_group_that_cannot_come_up_holds_nobody_up(manager: ManagerUnderTest, service: ServiceManager) -> None:
    manager.expect_in_log("no_such_module")
    text = group("good", manager.port()) + group("bad", manager.port(), "no_such_module:application")
    with manager.foreground(str(manager.write(text))):
        service.wait_for_line("READY=1")
        service.wait_for("it is named", lambda: service.last("STATUS") == "1 of 2 groups ready: bad is failed")


def test_more_time_is_asked_for_while_requests_are_finished(manager: ManagerUnderTest, service: ServiceManager) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        more = f'shutdown-timeout = 20\nenvironment.GATE_DIRECTORY = "{gate.directory}"'
        text = group("a", port, "gated_app:application", more)
        with manager.foreground(str(manager.write(text))) as process:
            service.wait_for_line("READY=1")
            with manager.background_get(port, "/") as answer:
                gate.wait_arrival()
                process.terminate()
                service.wait_for_line("STOPPING=1")
                at = service.lines.index("STOPPING=1")
                service.wait_for("more time", lambda: "EXTEND_TIMEOUT_USEC=30000000" in service.lines[at:])
                gate.release(1)
                assert (answer() or (0, b""))[0] == 200
            assert process.wait(40) == 0


def test_a_manager_in_the_background_of_a_service_is_not_that_service(
    manager: ManagerUnderTest, service: ServiceManager
) -> None:
    manager.apply(group("a", manager.port()))
    manager.cli("shutdown")
    service.read()
    assert service.lines == []


def test_why_it_cannot_start_is_told(manager: ManagerUnderTest, service: ServiceManager) -> None:
    manager.run_dir.write_text("a file")
    done = manager.cli("run")
    assert done.returncode != 0
    assert "as the run directory" in done.stderr
    service.read()
    assert service.last("STATUS").startswith(f"cannot use {manager.run_dir} as the run directory")
    os.unlink(manager.run_dir)
