"""What breaks stays where it is: broken applications, crashes, a killed spawner, a killed manager."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest
from support.faults import outlives
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest


def group(name: str, app: str, port: int, extra: str = "") -> str:
    return f'[groups.{name}]\napp = "{app}"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{extra}\n'


def spawner_pid(manager: ManagerUnderTest, pid: int) -> int:
    return psutil.Process(pid).ppid()


@pytest.mark.parametrize(
    ("app", "cause", "place", "error"),
    [
        ("loading.raising:application", "the database of the fixture", "loading/raising.py", "ConnectionRefusedError"),
        ("loading.needing:application", "No module named 'not_inst", "loading/needing.py", "ModuleNotFoundError"),
        ("loading.nowhere:application", "No module named 'loading.n", "", "ModuleNotFoundError"),
        ("loading.exiting:application", "it called exit(0)", "loading/exiting.py", "SystemExit"),
        ("loading.segfaulting:application", "signal 11", None, "Fatal Python error"),
        ("hello_app:no_such_name", "no_such_name", None, None),
    ],
)
def test_an_application_that_cannot_be_loaded_fails_the_apply_and_nothing_else(
    manager: ManagerUnderTest, app: str, cause: str, place: str | None, error: str | None
) -> None:
    if error:
        manager.expect_in_log(error)
    good = group("good", "hello_app:application", manager.port(), "processes = 2")
    manager.apply(good)
    before = manager.pids("good")
    done = manager.apply(good + group("bad", app, manager.port()), code=1)
    assert cause in done.stderr
    assert manager.pids("good") == before
    bad = manager.wait_for("the group is seen as failed", lambda: (g := manager.group("bad"))["last_error"] and g)
    assert cause in bad["last_error"]["message"]
    assert manager.cli("status", "--check", "good").returncode == 0
    # file and line stand wherever people look: the failing apply, the status, the log
    document = json.loads(manager.cli("status", "-o", "json", "bad").stdout)
    traceback = document["groups"][0]["last_error"]["traceback"]
    loud = manager.cli("-v", "restart", "bad").stderr
    texts = {"restart -v": loud, "status -o json": traceback, "status": manager.cli("status", "bad").stdout}
    texts |= {"why": manager.cli("why", "bad").stdout, "log": manager.log("bad")}
    if place is None:
        assert traceback is None
        return
    shown = manager.cli("status").stdout
    assert re.search(rf"^    {error}: .*→ wsgigroups why bad$", shown, re.MULTILINE), (
        "the whole status has it in a line"
    )
    if place:
        assert re.search(rf"\({Path(place).name}:[1-9]\d*\)", shown)
    for where, text in texts.items():
        begin = text.find("Traceback (most recent call last):")
        assert begin >= 0, where
        if place:  # a module that is not there has no line of its own
            assert re.search(rf'File "/[^"]*/{place}", line [1-9]\d*, in ', text[begin:]), where
        assert re.search(rf"^ *{error}: ", text[begin:], re.MULTILINE), where


def test_broken_code_leaves_the_old_processes_serving(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("the database of the fixture")
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port, "processes = 2"))
    before = manager.pids("a")
    with manager.clients(port, 2) as clients:
        done = manager.apply(group("a", "loading.raising:application", port, "processes = 2"), code=8)
        clients.wait_for_more(20)
    assert "the database of the fixture" in done.stderr
    assert clients.failures == []
    assert manager.pids("a") == before
    manager.apply(group("a", "hello_app:application", port, "processes = 2\nthreads = 2"))
    assert manager.group("a")["last_error"] is None


@pytest.mark.measured
def test_a_killed_daemon_is_replaced_within_a_second_and_only_its_own_requests_fail(manager: ManagerUnderTest) -> None:
    port = manager.port()
    slots = {1, 2, 3}
    with Gate(manager.base) as gate:
        manager.apply(
            group(
                "a",
                "gated_app:application",
                port,
                f'processes = 3\nenvironment = {{ GATE_DIRECTORY = "{gate.directory}" }}',
            )
        )
        with manager.clients(port, 16, "/open") as clients, manager.background_get(port, "/held") as held:
            holder, _ = gate.wait_arrival()  # one request is surely under way; the clients rest most of their time
            while slots:
                clients.wait_for_each()
                served_by = clients.served_by()  # `gated_app` answers with its pid
                before = manager.pids("a")
                slot = max(slots, key=lambda s: served_by[str(before[s])])  # each slot once, and one that has clients
                slots.remove(slot)
                victim = before[slot]
                assert served_by[str(victim)] > 0
                known, began = len(clients.failures), time.monotonic()
                os.kill(victim, signal.SIGKILL)
                manager.wait_for("it is replaced", lambda s=slot, v=victim: manager.pids("a").get(s) not in (None, v))
                replaced_s = time.monotonic() - began
                clients.wait_for_each()
                failures = clients.failures[known:]
                # a connection belongs to one process: what is lost is the one request under way on each of the victim's
                assert {failure.served_by for failure in failures} <= {str(victim)}, failures
                assert len({failure.connection for failure in failures}) == len(failures) <= served_by[str(victim)]
                assert {failure.how for failure in failures} <= {"closed", "reset"}
                assert {s: pid for s, pid in manager.pids("a").items() if s != slot} == {
                    s: pid for s, pid in before.items() if s != slot
                }
                assert replaced_s <= 1.0
                if victim == holder:
                    assert held() is None, "its connection ended with the process"
                    holder = None
            assert holder is None
    assert "signal 9" in manager.group("a")["last_error"]["message"]
    assert manager.group("a")["restarts"] == 3


def test_crash_loops_back_off_and_are_visible(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("the database of the fixture")
    text = "".join(group(f"bad{n}", "loading.raising:application", manager.port()) for n in range(3))
    good = group("good", "hello_app:application", manager.port())
    manager.apply(good + text, code=1)
    before = manager.pids("good")
    manager.wait_for(
        "all of them wait",
        lambda: all(g["processes"][0]["state"] == "backoff" and g["processes"][0]["failures"] >= 3
                    for g in manager.status()["groups"] if g["name"] != "good"),
    )  # fmt: skip
    assert manager.pids("good") == before
    # the next attempt may begin while the command starts: then it says that, until that has failed as well
    manager.wait_for("the reason is told", lambda: "failing" in manager.cli("why", "bad0").stdout)


def test_a_killed_spawner_costs_nothing(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port, "processes = 2"))
    before = manager.pids("a")
    spawner = spawner_pid(manager, before[1])
    with manager.clients(port, 2) as clients:
        os.kill(spawner, signal.SIGKILL)
        manager.wait_for("it is mourned", lambda: "is gone, its daemons are adopted" in manager.log("manager"))
        clients.wait_for_more(20)
        assert manager.pids("a") == before
        os.kill(before[1], signal.SIGKILL)
        manager.wait_for("it is replaced", lambda: manager.pids("a").get(1) not in (None, before[1]))
    assert manager.pids("a")[2] == before[2]
    assert [g for g in manager.status()["groups"] if g["last_error"] and "signal 9" in g["last_error"]["message"]]
    assert manager.cli("restart", "a").returncode == 0
    assert len(clients.failures) <= 2


def test_a_killed_manager_is_no_outage(manager: ManagerUnderTest) -> None:
    port, other = manager.port(), manager.port()
    text = group("a", "hello_app:application", port, "processes = 2") + group("b", "hello_app:application", other)
    manager.apply(text)
    before = manager.pids("a") | {9: manager.pids("b")[1]}
    started = [process["started_at"] for process in manager.group("a")["processes"]]
    with manager.clients(port, 4) as clients:
        for _ in range(3):
            pid = manager.manager_pid
            os.kill(pid, signal.SIGKILL)
            assert not outlives(pid, 10)
            clients.wait_for_more(20)
            assert manager.cli("status").returncode == 6
            assert manager.apply(text).stdout == "No changes.\n"
            assert manager.pids("a") | {9: manager.pids("b")[1]} == before
            assert [process["started_at"] for process in manager.group("a")["processes"]] == started
    assert clients.failures == []
    assert "3 daemons adopted" in manager.log("manager")
    assert manager.cli("restart", "a", "b").returncode == 0


def test_a_daemon_that_dies_without_a_manager_is_followed_at_adoption(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = group("a", "hello_app:application", port, "processes = 2")
    manager.apply(text)
    before = manager.pids("a")
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    os.kill(before[1], signal.SIGKILL)
    manager.cli("apply", str(manager.base / "groups.toml"))
    after = manager.wait_for("both are ready", lambda: len(p := manager.pids("a")) == 2 and p)
    assert after[2] == before[2]
    assert after[1] != before[1]
    found = manager.group("a")
    assert found["restarts"] == 1
    assert "ended while nobody managed it: killed by signal 9" in found["processes"][0]["last_death"]["message"]


def test_deaths_are_known_to_the_next_manager(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", "hello_app:application", manager.port(), "processes = 2"))
    os.kill(manager.pids("a")[2], signal.SIGKILL)
    manager.wait_for("it is followed", lambda: manager.group("a")["restarts"] and len(manager.pids("a")) == 2)
    state = manager.state_dir / "state.json"
    manager.wait_for("it is stored", lambda: "killed by signal 9" in state.read_text())

    def deaths() -> tuple[int, dict[str, object], list[object]]:
        found = manager.group("a")
        return found["restarts"], found["last_error"], [process["last_death"] for process in found["processes"]]

    before = deaths()
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, 10)
    manager.cli("apply", str(manager.base / "groups.toml"))
    assert deaths() == before
    assert before[1]["message"] == "killed by signal 9"


def test_counters_of_a_group_have_every_request_once_whatever_dies(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = group("a", "hello_app:application", port, "processes = 2")
    manager.apply(text)
    for _ in range(10):
        assert manager.get(port)[0] == 200

    def counts() -> tuple[int, int]:
        found = manager.group("a")
        return found["requests_total"], found["status_2xx"]

    manager.wait_for("all are counted", lambda: counts() == (10, 10))
    assert manager.cli("restart", "a").returncode == 0
    manager.wait_for("the old ones have ended", lambda: len(manager.group("a")["processes"]) == 2)
    assert counts() == (10, 10)
    for deaths in (0, 1, 2):  # at first the exits are stored and not yet acknowledged, then some nobody has seen
        for _ in range(5):
            assert manager.get(port)[0] == 200
        expected = 15 + 5 * deaths
        manager.wait_for("all are counted", lambda expected=expected: counts() == (expected, expected))
        daemons, pid = manager.pids("a"), manager.manager_pid
        os.kill(pid, signal.SIGKILL)
        assert not outlives(pid, 10)
        for slot in range(1, deaths + 1):
            os.kill(daemons[slot], signal.SIGKILL)
            assert not outlives(daemons[slot], 10)
        manager.cli("apply", str(manager.base / "groups.toml"))
        manager.wait_for("both are ready", lambda: len(manager.pids("a")) == 2)
        assert counts() == (expected, expected)


def test_spawner_and_manager_killed_together(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = group("a", "hello_app:application", port)
    manager.apply(text)
    daemon = manager.pids("a")[1]
    spawner, pid = spawner_pid(manager, daemon), manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    os.kill(spawner, signal.SIGKILL)
    assert not outlives(daemon, 20)
    manager.apply(text)
    assert manager.get(port)[0] == 200


def test_a_stopped_manager_kills_nobody(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        manager.apply(
            group("a", "gated_app:application", port, f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}')
        )
        before = manager.pids("a")
        pid = manager.manager_pid
        os.kill(pid, signal.SIGSTOP)
        with manager.clients(port, 1, path="/open") as clients:
            clients.wait_for_more(50)
        os.kill(pid, signal.SIGCONT)
        assert manager.pids("a") == before
        assert clients.failures == []
        gate.close()


def test_a_drain_lets_the_request_under_way_finish(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        manager.apply(
            group("a", "gated_app:application", port,
                  f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nshutdown-timeout = "30s"')
        )  # fmt: skip
        with manager.background_get(port, "/held") as answer:
            pid, _word = gate.wait_arrival()
            change = manager.cli("restart", "a", "--no-wait").stdout.strip()
            manager.wait_for("a successor is ready", lambda: manager.pids("a").get(1) not in (None, pid))
            assert psutil.pid_exists(pid)
            gate.release()
            assert answer()[0] == 200
        done = manager.client.wait(int(change), wait_s=30)
        assert done["outcome"] == "done"
        gate.close()


def test_shutdown_timeout_ends_what_does_not_end(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        manager.apply(
            group("a", "gated_app:application", port,
                  f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nshutdown-timeout = "300ms"')
        )  # fmt: skip
        with manager.background_get(port, "/held") as answer:
            pid, _word = gate.wait_arrival()
            assert manager.cli("stop", "a").returncode == 0
            assert not psutil.pid_exists(pid)
            assert answer() is None


def test_sigterm_to_the_manager_ends_everything_well(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", "hello_app:application", manager.port(), "processes = 2"))
    pids = [*manager.pids("a").values(), manager.manager_pid]
    os.kill(manager.manager_pid, signal.SIGTERM)
    assert not [pid for pid in pids if outlives(pid, 20)]


def test_sighup_reads_the_files_again_and_a_broken_one_changes_nothing(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group("a", "hello_app:application", port))
    with manager.foreground(str(path)) as process:
        manager.wait_for(
            "it serves", lambda: manager.client.running() and manager.status()["groups"] and manager.pids("a")
        )
        before = manager.pids("a")
        manager.write("[groups.a]\nthraeds = 1\n")
        os.kill(process.pid, signal.SIGHUP)
        manager.wait_for("it was refused", lambda: "what runs stays" in manager.foreground_log())
        assert manager.pids("a") == before
        manager.write(group("a", "hello_app:application", port, "threads = 2"))
        os.kill(process.pid, signal.SIGHUP)
        manager.wait_for("it was taken", lambda: manager.group("a")["threads"] == 2)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
