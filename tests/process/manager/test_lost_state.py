"""A state that was lost, damaged, or another's, and what two managers would do to it: nothing that runs is ended."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest
from support.faults import outlives
from support.gate import Gate
from support.manager import APPS, HUNG_S, ManagerUnderTest


def group(name: str, port: int, extra: str = "") -> str:
    return (
        f'[groups.{name}]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{port}"]\n{extra}\n'
    )


def kill_manager(manager: ManagerUnderTest) -> None:
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, 10)


def start_manager(manager: ManagerUnderTest) -> None:
    """As `apply` does it, without anything to apply."""
    empty = manager.write("", "empty.toml")
    assert manager.cli("apply", str(empty)).stdout == "No changes.\n"


def of_another(text: bytes) -> bytes:
    state = json.loads(text)
    a = state["groups"]["a"]
    groups = {"other": {**a, "target": {**a["target"], "name": "other"}, "run_dir": "/run/another"}}
    return json.dumps({**state, "groups": groups}).encode()


def cannot_be_used(text: bytes) -> bytes:
    state = json.loads(text)
    state["groups"]["a"]["target"]["from_the_future"] = 1
    return json.dumps(state).encode()


LOST: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _text: None,
    "cut": lambda text: text[: len(text) // 2],
    "of-another": of_another,
    "group-from-the-future": cannot_be_used,
}


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_state_ends_nobody_and_an_apply_takes_over(manager: ManagerUnderTest, lost: str) -> None:
    port = manager.port()
    text = group("a", port, 'processes = 2\nenvironment = { SECRET = "x" }')
    manager.apply(text)
    before = manager.pids("a")
    with manager.clients(port, 2) as clients:
        kill_manager(manager)
        path = manager.state_dir / "state.json"
        after = LOST[lost](path.read_bytes())
        path.unlink()
        if after is not None:
            path.write_bytes(after)
        start_manager(manager)
        clients.wait_for_more(20)
        assert manager.pids("a") == before
        found = manager.group("a")
        assert (found["state"], found["unknown"], found["processes_wanted"]) == ("ready", True, 2)
        assert found["listen"] == [f"127.0.0.1:{port}"]
        assert [process["started_at"] is not None for process in found["processes"]] == [True, True]
        assert "unknown, found running" in manager.cli("status").stdout
        assert manager.cli("restart", "a").returncode == 1
        plan = json.loads(manager.cli("plan", "-o", "json", str(manager.write(text))).stdout)
        assert [(step["group"], step["kind"]) for step in plan["steps"]] == [("a", "adopt")]
        assert "1 group to take over" in manager.apply(text).stdout
        assert manager.pids("a") == before
        assert not manager.group("a")["unknown"]
        assert manager.apply(text).stdout == "No changes.\n"
    assert clients.failures == []
    assert manager.cli("restart", "a").returncode == 0


def test_an_unknown_group_that_is_to_be_another_is_replaced_without_a_lost_request(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", port, "processes = 2"))
    before = manager.pids("a")
    kill_manager(manager)
    (manager.state_dir / "state.json").unlink()
    start_manager(manager)
    with manager.clients(port, 2) as clients:
        manager.apply(group("a", port, "processes = 3\nthreads = 2"))
        clients.wait_for_more(20)
    assert clients.failures == []
    after = manager.pids("a")
    assert len(after) == 3
    assert not set(before.values()) & set(after.values())
    assert manager.status()["revision"] == 2  # the first is in the history still


def test_a_plan_without_a_manager_is_of_what_runs(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = group("a", port, 'processes = 2\nenvironment = { SECRET = "x" }')
    path = str(manager.write(text))

    def planned() -> tuple[list[tuple[str, str]], str]:
        done = manager.cli("plan", "-o", "json", path)
        plan = json.loads(done.stdout)
        return [(step["group"], step["kind"]) for step in plan["steps"]], " ".join(plan["notices"])

    assert "is still there" not in manager.cli("status").stderr
    steps, notices = planned()
    assert steps == [("a", "add")]
    assert "no manager runs" not in notices
    manager.apply(text)
    before = manager.pids("a")
    kill_manager(manager)
    assert "what its manager had started is still there" in manager.cli("status").stderr
    steps, notices = planned()
    assert steps == []
    assert "no manager runs, 2 processes serve on" in notices
    os.kill(before[1], signal.SIGKILL)
    assert not outlives(before[1], HUNG_S)
    assert planned()[0] == [("a", "start")], "drift by a death"
    manager.write(text.replace("processes = 2", "processes = 3\nthreads = 2"))
    assert planned()[0] == [("a", "replace")]
    manager.write(text)
    (manager.state_dir / "state.json").unlink()
    assert planned()[0] == [("a", "adopt")]
    assert "1 process serves on" in manager.cli("plan", path).stderr
    assert manager.get(port)[0] == 200
    start_manager(manager)
    assert manager.pids("a")[2] == before[2]


def test_stop_ends_an_unknown_group_and_frees_its_address(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", port))
    (pid,) = manager.pids("a").values()
    kill_manager(manager)
    (manager.state_dir / "state.json").unlink()
    start_manager(manager)
    assert manager.get(port)[0] == 200
    assert manager.cli("stop", "a").returncode == 0
    assert not outlives(pid, 10)
    assert manager.status()["groups"] == []
    assert not manager.listening(port)


def test_an_unknown_group_that_dies_is_told_of_and_its_address_is_another_groups(manager: ManagerUnderTest) -> None:
    port, other = manager.port(), manager.port()
    manager.apply(group("a", port) + group("b", other))
    pids = manager.pids("a") | {2: manager.pids("b")[1]}
    kill_manager(manager)
    (manager.state_dir / "state.json").unlink()
    start_manager(manager)
    os.kill(pids[1], signal.SIGKILL)
    manager.wait_for("its death is seen", lambda: manager.group("a")["state"] == "failed")
    assert "killed by signal 9" in manager.group("a")["last_error"]["message"]
    manager.apply(group("c", port))  # b is in nobody's way
    assert manager.get(port)[0] == 200
    assert manager.pids("b") == {1: pids[2]}
    assert [found["name"] for found in manager.status()["groups"]] == ["b", "c"]


def test_a_second_manager_is_refused_the_state_of_the_first(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", manager.port()))
    before, pid = manager.pids("a"), manager.manager_pid
    state = (manager.state_dir / "state.json").read_bytes()
    run_dir, manager.run_dir = manager.run_dir, manager.base / "other-run"
    try:
        begun = time.monotonic()
        refused = manager.cli("run")
        assert time.monotonic() - begun < 5.0  # most of it is the start of an interpreter
    finally:
        manager.run_dir = run_dir
    assert refused.returncode == 1
    assert f"another one (pid {pid}) holds {manager.state_dir / 'manager.lock'}" in refused.stderr
    assert manager.pids("a") == before
    assert (manager.state_dir / "state.json").read_bytes() == state


def test_a_manager_that_finds_nobody_does_not_store_less_than_it_found(manager: ManagerUnderTest) -> None:
    """The first is dead, its daemons serve; a second one looks elsewhere, and ends: the third finds all as it was."""
    port = manager.port()
    text = group("a", port)
    manager.apply(text)
    before = manager.pids("a")
    kill_manager(manager)
    run_dir, manager.run_dir = manager.run_dir, manager.base / "other-run"
    with manager.foreground() as process:
        manager.client.path = manager.run_dir / "control.sock"
        manager.wait_for("it answers", manager.client.running)
        assert manager.status()["groups"] == []
        process.terminate()
        assert not outlives(process.pid, 20)
    manager.run_dir, manager.client.path = run_dir, run_dir / "control.sock"
    assert manager.apply(text).stdout == "No changes.\n"
    assert manager.pids("a") == before


def spawner_of(manager: ManagerUnderTest, name: str) -> int:
    return psutil.Process(manager.pids(name)[1]).ppid()


@pytest.mark.parametrize("lost", [1, 2])
def test_manager_and_spawners_killed_while_one_spawner_lives(manager: ManagerUnderTest, lost: int) -> None:
    """A daemon of a lost spawner is busy still: another spawner has its address, or its group alone waits for it."""
    ports = {name: manager.port() for name in ("held", "second", "third")}
    gated = f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nshutdown-timeout = "30s"'
    text = group("held", ports["held"], gated).replace("hello_app", "gated_app")
    text += group("second", ports["second"], 'lang = "C"')
    with Gate(manager.base) as gate:
        manager.apply(text)  # the two keep each other's listeners, whichever was the first
        text += group("third", ports["third"], 'lang = "POSIX"')
        manager.apply(text)
        third = manager.pids("third")
        spawners = [spawner_of(manager, name) for name in ("held", "second", "third")]
        assert len(set(spawners)) == 3
        with manager.background_get(ports["held"], "/held") as answer:
            pid, _word = gate.wait_arrival()
            kill_manager(manager)
            for spawner in spawners[:lost]:
                os.kill(spawner, signal.SIGKILL)
            assert manager.cli("plan", str(manager.base / "groups.toml")).returncode == 0
            manager.cli("apply", "--yes", "--timeout", "1s", str(manager.base / "groups.toml"))
            assert manager.pids("third") == third
            if lost == 1:
                assert manager.get(ports["held"], "/open")[0] == 200
            else:
                error = manager.wait_for("it waits", lambda: manager.group("held")["last_error"])
                assert f"cannot listen on 127.0.0.1:{ports['held']}" in error["message"]
            assert psutil.pid_exists(pid)
            gate.release()
            assert answer()[0] == 200
        manager.wait_for("all are ready", lambda: all(g["state"] == "ready" for g in manager.status()["groups"]))
        assert [manager.get(port, "/open")[0] for port in ports.values()] == [200, 200, 200]
        gate.close()
