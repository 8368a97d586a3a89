"""Metrics and probes of a real manager: over deaths of processes and of the manager, an upgrade, and a stop."""

from __future__ import annotations

import os
import re
import signal
import threading

import psutil
import pytest
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest
from support.observed import ask


def group(name: str, app: str, port: int, extra: str = "") -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f'[groups.{name}]\napp = "{app}:application"\n{where}{extra}\n'


def value(text: str, name: str, **labels: str) -> float:
    """Return the value of a sample, 0 where there is none."""
    own = ",".join(f'{label}="{of}"' for label, of in labels.items())
    found = re.search(rf"^{name}(?:\{{{re.escape(own)}\}})? (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture
def health(manager: ManagerUnderTest) -> str:
    return f"127.0.0.1:{manager.port()}"


def server(health: str) -> str:
    return f'[server]\nhealth-listen = "{health}"\n'


def metrics(health: str) -> str:
    status, text = ask(health, "/metrics")
    assert status == 200
    return text


def test_counters_of_a_group_never_fall(manager: ManagerUnderTest, health: str) -> None:
    port = manager.port()
    manager.apply(server(health) + group("a", "hello_app", port, "processes = 2"))
    for _ in range(20):
        assert manager.get(port)[0] == 200
    answers = {"group": "a", "status": "2xx"}
    manager.wait_for("all are counted", lambda: value(metrics(health), "wsgigroups_requests_total", **answers) == 20)
    before = metrics(health)
    victim = manager.pids("a")[1]
    os.kill(victim, signal.SIGKILL)
    manager.wait_for("it is followed", lambda: manager.pids("a").get(1) not in (None, victim))
    manager.restart("a")
    manager.wait_for(
        "all ends are told",
        lambda: value(metrics(health), "wsgigroups_ends_total", group="a", cause="replaced") == 2,
    )
    after = metrics(health)
    assert value(after, "wsgigroups_requests_total", **answers) == 20
    assert value(after, "wsgigroups_application_seconds_count", group="a") == 20
    assert value(after, "wsgigroups_ends_total", group="a", cause="killed") == 1
    cpu_s = [value(text, "wsgigroups_cpu_seconds_total", group="a") for text in (before, after)]
    assert cpu_s[0] <= cpu_s[1]

    os.kill(manager.manager_pid, signal.SIGKILL)
    manager.apply(server(health) + group("a", "hello_app", port, "processes = 2"))
    following = metrics(health)
    for line in after.splitlines():
        if line.startswith(("wsgigroups_requests_total", "wsgigroups_ends_total", "wsgigroups_application_seconds_b")):
            assert line in following


def test_where_the_manager_listens_is_changed_by_an_apply_and_undone_by_a_rollback(
    manager: ManagerUnderTest, health: str
) -> None:
    port, other = manager.port(), f"127.0.0.1:{manager.port()}"
    manager.apply(group("a", "hello_app", port))
    pids = manager.pids("a")
    with pytest.raises(ConnectionRefusedError):
        ask(health, "/livez")
    manager.apply(server(health) + group("a", "hello_app", port))
    assert ask(health, "/livez") == (200, "ok\n")
    assert "No changes" in manager.apply(server(health) + group("a", "hello_app", port)).stdout
    manager.apply(server(other) + group("a", "hello_app", port))
    assert ask(other, "/readyz/a") == (200, "ok\n")
    with pytest.raises(ConnectionRefusedError):
        ask(health, "/livez")
    taken = f"127.0.0.1:{port}"
    failed = manager.apply(server(f"[::1]:{port}") + group("a", "hello_app", port))  # another family is another place
    assert failed.returncode == 0
    refused = manager.apply(f'[server]\nmetrics-listen = "{taken}"\n' + group("a", "hello_app", manager.port()), code=1)
    assert f"cannot listen on {taken} for metrics-listen" in refused.stderr
    assert manager.cli("rollback").returncode == 0
    assert ask(other, "/livez") == (200, "ok\n")
    assert manager.pids("a") == pids


def test_an_upgrade_refuses_no_probe(manager: ManagerUnderTest, health: str) -> None:
    manager.apply(server(health) + group("a", "hello_app", manager.port()))
    enough, answers = threading.Event(), []

    def probe() -> None:
        while not enough.is_set():
            try:
                answers.append(ask(health, "/readyz")[0])
            except (OSError, IndexError) as error:  # reset, refused, or ended without an answer
                answers.append(repr(error))

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        assert manager.cli("upgrade", "--yes", "--no-restart").returncode == 0
        manager.wait_for(
            "the next version answers", lambda: value(metrics(health), "wsgigroups_manager_handovers_total") == 1
        )
    finally:
        enough.set()
        thread.join()
    assert set(answers) <= {200, 503}, answers
    manager.wait_for("it is ready again", lambda: ask(health, "/readyz")[0] == 200)


def test_a_stop_is_told_at_once_and_what_is_under_way_still_served(manager: ManagerUnderTest, health: str) -> None:
    port = manager.port()
    extra = f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nshutdown-timeout = "30s"'
    manager.apply(server(health) + group("a", "gated_app", port, extra))
    process = psutil.Process(manager.manager_pid)
    with Gate(manager.base) as gate, manager.background_get(port, "/") as waiting:
        gate.wait_arrival()
        assert ask(health, "/servingz") == (200, "ok\n")
        assert ask(health, "/readyz") == (200, "ok\n")
        manager.client.act("shutdown", {})
        assert ask(health, "/readyz") == (503, "everything is being stopped\n")
        assert ask(health, "/readyz/a") == (503, "a is being stopped\n")
        assert ask(health, "/livez") == (200, "ok\n")
        assert value(metrics(health), "wsgigroups_manager_stopping") == 1
        gate.release()
        answer = waiting()
        assert answer
        assert answer[0] == 200
    process.wait(30)


def test_what_applications_count_is_added_up_over_all_processes_and_those_that_have_ended(
    manager: ManagerUnderTest, health: str
) -> None:
    port = manager.port()
    text = server(health) + group("shop", "counting_app", port, "processes = 2\napplication-metrics = true")
    manager.apply(text + group("b", "hello_app", manager.port()))
    for _ in range(10):
        assert manager.get(port)[0] == 200
    assert value(ask(health, "/metrics/shop")[1], "shop_orders_total") == 10
    assert ask(health, "/metrics/b")[0] == 404
    manager.restart("shop")
    for _ in range(5):
        assert manager.get(port)[0] == 200
    directory = manager.run_dir / "metrics" / "live" / "shop"
    pids = set(map(str, manager.pids("shop").values()))
    manager.wait_for(
        "files of the dead are gone", lambda: {path.stem.rpartition("_")[2] for path in directory.iterdir()} <= pids
    )
    found = ask(health, "/metrics/shop")[1]
    assert value(found, "shop_orders_total") == 15
    assert 1 <= value(found, "shop_open") <= 2
    assert manager.cli("shutdown").returncode == 0
    assert not (manager.run_dir / "metrics").exists()
