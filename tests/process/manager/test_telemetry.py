"""telemetry-service: mod_wsgi's own service is run, and what it shows is read back."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.clients import BackgroundGet
from support.manager import APPS, ManagerUnderTest


class Service:
    """`mod_wsgi-telemetry serve`, at a socket and a port."""

    def __init__(self, path: Path, port: int) -> None:
        self.path, self.port = path, port

    def get(self, path: str) -> bytes:
        """What its web server answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return bytes(answer.read())

    def state(self) -> dict[str, Any]:
        """What its page and its terminal monitor begin with."""
        found: dict[str, Any] = json.loads(self.get("/api/state"))
        return found


@contextlib.contextmanager
def serving(manager: ManagerUnderTest) -> Iterator[Service]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = Service(manager.base / "telemetry.sock", port)
    command = [sys.executable, "-m", "mod_wsgi.telemetry.cli", "serve", "--http-port", str(port)]
    with subprocess.Popen(
        [*command, "--listen", f"unix:{service.path}", "--log-level", "ERROR"], stderr=subprocess.PIPE
    ) as process:
        try:
            manager.wait_for("the service", lambda: service.path.exists() and answers(service))
            yield service
        finally:
            process.terminate()
            service.path.unlink(missing_ok=True)  # it leaves it


def answers(service: Service) -> bool:
    with contextlib.suppress(OSError):
        return bool(service.state())
    return False


def configured(manager: ManagerUnderTest, service: str) -> str:
    return (
        f'[server]\n{service}\n[groups.blog]\napp = "slow_app:application"\npython-path = ["{APPS}"]\nthreads = 3\n'
        f'slow-request = "200ms"\nlisten = ["127.0.0.1:{manager.port()}"]\n'
    )


def last(state: dict[str, Any], pid: int) -> dict[str, Any]:
    """The newest sample of a process."""
    for process in state["processes"]:
        if process["pid"] == pid and process["samples"]:
            found: dict[str, Any] = process["samples"][-1]["fields"]
            return found
    return {}


def test_their_service_shows_what_ours_do(manager: ManagerUnderTest) -> None:
    with serving(manager) as service:
        text = configured(manager, f'telemetry-service = "unix:{service.path}"')
        manager.apply(text)
        pid = manager.pids("blog")[1]
        manager.wait_for("a sample", lambda: last(service.state(), pid))
        fields = last(service.state(), pid)
        assert (fields["process_group"], fields["request_threads_maximum"]) == ("blog", 3)
        assert fields["memory_rss"] > 1_000_000
        port = int(text.rpartition(":")[2].split('"')[0])
        with BackgroundGet(port, "/4") as slow:
            manager.wait_for("a slow request", lambda: service.state()["slow_requests"])
            (found,) = service.state()["slow_requests"]
            assert (found["entry"]["path_info"], found["entry"]["state"]) == ("/4", 0)
            assert slow() is not None
        manager.wait_for("its end", lambda: service.state()["slow_requests"][0]["entry"]["state"] == 1)
        counted = lambda: sum(  # noqa: E731
            sample["fields"]["request_count"]
            for process in service.state()["processes"]
            for sample in process["samples"]
        )
        manager.wait_for("the request", counted)
        assert manager.cli("restart", "blog").returncode == 0
        manager.wait_for(
            "its end", lambda: {"process_stopped"} <= {event["kind"] for event in service.state()["lifecycle_events"]}
        )
        state = service.state()
        assert state["decode_errors"] == 0
        assert b"<html" in service.get("/")
    # nobody listens any more: nothing changes, and what listens again is found
    assert manager.get(port)[0] == 200
    with serving(manager) as service:
        manager.wait_for("a sample", lambda: last(service.state(), manager.pids("blog")[1]))
        before = manager.pids("blog")
        manager.apply(without(text))
        assert manager.pids("blog") == before


def without(text: str) -> str:
    """The same without the service."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("telemetry-service"))
