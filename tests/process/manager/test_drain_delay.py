"""`[server] drain-delay`: a stop behind a balancer that leaves in time loses nothing, whoever else is signalled."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.balancer import Backend, Balancer, probe
from support.faults import outlives
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.nginx import NGINX

CLIENTS, STOPS = 32, 3
FORMS = ["group", "site", pytest.param("nginx", marks=pytest.mark.needs(NGINX))]
LONG = "10m"  # a delay that a test ends itself
APART_S = 0.3  # between two signals that are not one


def server(health_port: int, delay: str) -> str:
    return f'[server]\nhealth-listen = "127.0.0.1:{health_port}"\ndrain-delay = "{delay}"\n'


def group(address: str) -> str:
    return (
        f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n{address}processes = 2\nthreads = 4\n'
        'shutdown-timeout = "20s"\n'
    )


def site(port: int) -> str:
    head = f'[sites.localhost]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "a"\n'
    return head + '[[sites.localhost.mounts]]\npath = "/"\n'


def text(form: str, backend: Backend, delay: str = LONG) -> str:
    """A configuration that serves at the backend's port, by the group itself or by the gateway."""
    if form == "nginx":
        return '[gateway]\nengine = "nginx"\n' + text("site", backend, delay)
    if form == "group":
        return server(backend.health_port, delay) + group(f'listen = ["127.0.0.1:{backend.port}"]\n')
    app = 'app = "hello_app:application"\n'
    return server(backend.health_port, delay) + group("").replace(app, "") + site(backend.port) + app


@contextlib.contextmanager
def second(manager: ManagerUnderTest, path: Path) -> Iterator[None]:
    """Another manager, with directories of its own, as the other backend."""
    base = manager.base / "second"
    base.mkdir(mode=0o755)
    where = [f"--{name}-dir={base / name}" for name in ("run", "state", "log")]
    with open(manager.base / "second.out", "wb") as log:
        process = subprocess.Popen([*manager.command(), *where, "run", str(path)], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        outlives(process.pid, APART_S)
        process.send_signal(signal.SIGTERM)
        process.wait(HUNG_S)


def signal_all(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to each process, as a platform does that knows of no manager."""
    for each in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("form", FORMS)
def test_no_request_is_lost_behind_a_balancer(manager: ManagerUnderTest, form: str) -> None:
    one, other = (Backend(manager.port(), manager.port()) for _number in range(2))
    path = manager.write(text(form, one))
    with second(manager, manager.write(text(form, other), "other.toml")), Balancer([one, other], CLIENTS) as balancer:
        balancer.wait(lambda: other.takes, "the other one is up")
        for number in range(1 if form == "nginx" else STOPS):
            with manager.foreground(str(path)) as process:
                balancer.wait(lambda: one.takes, "it is up")
                balancer.wait_for_more(4 * CLIENTS)
                if form == "nginx":  # which ends at once whoever it is that sends it a TERM
                    process.send_signal(signal.SIGTERM)
                else:
                    signal_all(process)
                balancer.wait_until_left(one)
                assert outlives(process.pid, APART_S), manager.foreground_log()
                process.send_signal(signal.SIGTERM)
                assert process.wait(HUNG_S) == 0
            assert one.left > number
        assert not balancer.lost, balancer.summary()


def answer(port: int) -> http.client.HTTPResponse:
    """What a new connection is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


@pytest.mark.parametrize("form", FORMS)
def test_it_serves_on_and_says_so(manager: ManagerUnderTest, form: str) -> None:
    backend = Backend(manager.port(), manager.port())
    with manager.foreground(str(manager.write(text(form, backend)))) as process:
        manager.wait_for("it is ready", lambda: probe(backend.health_port, "/readyz") == 200)
        assert not answer(backend.port).will_close
        process.send_signal(signal.SIGTERM)
        manager.wait_for("it is not ready", lambda: probe(backend.health_port, "/readyz") == 503)
        assert probe(backend.health_port, "/servingz") == 200
        manager.wait_for("answers are the last", lambda: answer(backend.port).will_close)
        assert answer(backend.port).status == 200
        found = manager.status()["manager"]
        assert found["stopping"]
        assert 0 < found["drains_in_s"] <= 600
        assert ", stops (drains in " in manager.cli("status").stdout
        assert outlives(process.pid, APART_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HUNG_S) == 0
    log = manager.foreground_log()
    assert "SIGTERM: asked to end, in 600 s (drain-delay) draining everything" in log
    assert "SIGTERM again: drain-delay is over" in log
    assert "what drains is ended now" not in log


def test_it_ends_by_itself_and_with_no_delay_at_once(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group(f'listen = ["127.0.0.1:{port}"]\n'))
    pids = manager.pids("a")
    delayed = '[server]\ndrain-delay = "300ms"\n' + group(f'listen = ["127.0.0.1:{port}"]\n')
    assert "drain-delay" in manager.cli("plan", str(manager.write(delayed))).stdout
    manager.apply(delayed)
    assert manager.pids("a") == pids
    assert manager.apply(delayed).stdout == "No changes.\n"
    pid = manager.manager_pid
    begun = manager.client.post("/v1/shutdown", {})
    assert begun["change"]
    assert not outlives(pid, HUNG_S)
