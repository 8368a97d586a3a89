"""What comes of applies: all or nothing, tried again, one at a time, waited for, taken back; on real processes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from support.faults import outlives
from support.gate import Gate
from support.manager import APPS, HUNG_S, ManagerUnderTest


def group(name: str, app: str, port: int, extra: str = "") -> str:
    return f'[groups.{name}]\napp = "{app}"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{extra}\n'


def gated(manager: ManagerUnderTest, name: str, port: int, extra: str = "") -> str:
    """A group whose application cannot be imported before the gate is open."""
    extra += f'\nenvironment = {{ GATE_DIRECTORY = "{manager.base}" }}'
    return group(name, "loading.gated_import:application", port, extra)


def outcomes(manager: ManagerUnderTest) -> dict[int, tuple[str, bool]]:
    revisions = json.loads(manager.cli("history", "-o", "json").stdout)["revisions"]
    return {row["revision"]: (row["outcome"], row["running"]) for row in revisions}


def under_way(manager: ManagerUnderTest, number: int) -> bool:
    return not manager.client.wait(number, wait_s=0.0)["finished"]


def test_rollback_goes_to_the_last_good_revision_before_the_one_that_runs(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("the database of the fixture")
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port, "threads = 1"))
    manager.apply(group("a", "hello_app:application", port, "threads = 2"))
    for threads in (8, 9):
        manager.apply(group("a", "loading.raising:application", port, f"threads = {threads}"), code=8)
    assert outcomes(manager) == {
        1: ("done", False), 2: ("done", True), 3: ("rolled-back", False), 4: ("rolled-back", False),
    }  # fmt: skip
    assert manager.status()["revision"] == 2
    (manager.state_dir / "revisions" / "00000003.json").write_text("{")
    assert manager.cli("rollback").returncode == 0
    assert manager.group("a")["threads"] == 1
    assert outcomes(manager)[5] == ("done", True)
    assert outcomes(manager)[3] == ("unreadable", False)
    assert "cannot read" in manager.cli("history").stdout
    assert manager.cli("rollback", "2").returncode == 0
    assert manager.group("a")["threads"] == 2


def test_a_failed_deploy_of_two_groups_returns_both_with_what_was_scaled(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("the database of the fixture")
    ports = [manager.port() for _ in range(4)]
    text = group("a", "hello_app:application", ports[0]) + group("b", "hello_app:application", ports[1])
    manager.apply(text + group("gone", "hello_app:application", ports[2]))
    assert manager.cli("scale", "a=2").returncode == 0
    before = {name: manager.pids(name) for name in ("b", "gone")}
    text = group("a", "hello_app:application", ports[0], "threads = 3")
    text += group("b", "loading.raising:application", ports[1]) + group("new", "hello_app:application", ports[3])
    with manager.clients(ports[2], 1) as clients:
        done = manager.apply(text, code=8)
        clients.wait_for_more(10)
    assert clients.failures == []
    assert "✗ b: the new process failed to start; 1 old process keeps serving" in done.stderr
    assert "the database of the fixture" in done.stderr
    assert "rolled back to revision 1: a, b, gone, new" in done.stderr
    assert {name: manager.pids(name) for name in ("b", "gone")} == before
    a = manager.group("a")
    assert (a["threads"], a["processes_wanted"], a["processes_ready"], a["scaled"]) == (15, 2, 2, True)
    assert [g["name"] for g in manager.status()["groups"]] == ["a", "b", "gone"]
    assert not manager.listening(ports[3])


def test_a_retried_apply_tells_the_outage_and_ends_it(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("not ready to be loaded")
    port = manager.port()
    application = manager.base / "moody.py"
    application.write_text('raise RuntimeError("not ready to be loaded")\n')
    text = f'[groups.a]\napp = "moody:application"\npython-path = ["{manager.base}", "{APPS}"]\n'
    text += f'listen = ["127.0.0.1:{port}"]\nrelease = "1"\n'
    manager.apply(text, code=1)
    again = manager.apply(text, code=1)
    assert "not ready to be loaded" in again.stderr
    assert "No changes." not in again.stdout
    plan = manager.cli("plan", "--detailed-exitcode", str(manager.base / "groups.toml"))
    assert plan.returncode == 2
    assert "0 of 1 are ready" in plan.stdout
    assert "1 group not ready (a)" in plan.stdout
    application.write_text("from hello_app import application\n")
    manager.apply(text)
    assert manager.get(port)[0] == 200
    manager.wait_for("revision 1 is good", lambda: outcomes(manager) == {1: ("done", True)})  # whoever brought it up
    assert manager.apply(text).stdout == "No changes.\n"


def test_a_second_apply_waits_for_what_the_first_one_did_not_wait_for(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        path = manager.write(gated(manager, "a", port))
        assert manager.cli("apply", "--timeout", "1", str(path)).returncode == 7
        second = subprocess.Popen(
            manager.command("apply", str(path)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert second.stderr is not None
        with second.stderr:
            read_until(second.stderr.fileno(), b"starting 1 process")  # it follows the change
            assert second.poll() is None
            gate.close()
            assert second.wait(HUNG_S) == 0
    assert manager.get(port)[0] == 200
    assert manager.cli("wait", "1").returncode == 0


def test_a_failed_restart_says_that_the_old_processes_serve(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("cannot be loaded again")
    port = manager.port()
    application = manager.base / "moody.py"
    application.write_text("from hello_app import application\n")
    text = f'[groups.a]\napp = "moody:application"\npython-path = ["{manager.base}", "{APPS}"]\nprocesses = 4\n'
    manager.apply(text + f'listen = ["127.0.0.1:{port}"]\n')
    before = manager.pids("a")
    application.write_text('raise RuntimeError("cannot be loaded again")\n')
    for _ in range(4):
        done = manager.cli("restart", "a")
        assert done.returncode == 8, done.stderr
        assert "the new process failed to start; 4 old processes keep serving" in done.stderr
        assert "RuntimeError: cannot be loaded again" in done.stderr
        assert f"{application}:1  raise RuntimeError" in done.stderr
    assert manager.pids("a") == before
    assert manager.group("a")["restarts"] == 0


def test_a_restart_beside_an_apply_does_not_fail_it(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    with Gate(manager.base) as gate:
        number = manager.cli("apply", "--no-wait", str(manager.write(gated(manager, "a", port)))).stdout.split()[-1]
        restart = manager.cli("restart", "--no-wait", "a").stdout.strip()
        gate.close()
        assert manager.cli("wait", number).returncode == 0
        assert manager.cli("wait", restart).returncode == 0


def test_what_is_overtaken_says_by_what(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    with Gate(manager.base) as gate:
        path = manager.write(gated(manager, "a", port))
        number = manager.cli("apply", "--no-wait", str(path)).stdout.split()[-1]
        assert manager.cli("stop", "a").returncode == 0
        told = manager.cli("wait", number)
        assert (told.returncode, f"✗ a: overtaken by change {int(number) + 1} (stop)" in told.stderr) == (1, True)
        gate.close()
    assert manager.cli("wait", "99").returncode == 1


def test_another_apply_is_told_who_is_before_and_leaves_or_waits(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    with Gate(manager.base) as gate:
        slow = manager.cli("apply", "--no-wait", str(manager.write(gated(manager, "a", port)))).stdout.split()[-1]
        other = str(manager.write(group("a", "hello_app:application", port, "threads = 2"), "other.toml"))
        left = manager.cli("apply", "--no-queue", other)
        assert left.returncode == 1
        who = rf"change {slow}, apply by uid {os.geteuid()} pid \d+ \(wsgigroups .*apply.*groups\.toml.*\)"
        assert re.search(who, left.stderr), left.stderr
        late = manager.cli("apply", "--timeout", "500ms", other)
        assert (late.returncode, "timed out while waiting for another apply" in late.stderr) == (7, True)
        assert under_way(manager, int(slow))
        waiting = subprocess.Popen(manager.command("apply", other), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert waiting.stderr is not None
        with waiting.stderr:
            read_until(waiting.stderr.fileno(), b"Waiting: ")
            gate.close()
            waiting.stderr.read()
        assert waiting.wait(HUNG_S) == 0
    assert manager.client.wait(int(slow))["outcome"] == "done"
    assert manager.group("a")["threads"] == 2


def test_an_apply_can_take_the_place_of_the_one_under_way(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    with Gate(manager.base) as gate:
        slow = manager.cli("apply", "--no-wait", str(manager.write(gated(manager, "a", port)))).stdout.split()[-1]
        overtaking = manager.cli("apply", "--overtake", str(manager.write(group("a", "hello_app:application", port))))
        assert overtaking.returncode == 0, overtaking.stderr
        assert manager.client.wait(int(slow))["outcome"] == "overtaken"
        gate.close()


@pytest.mark.parametrize("answer", ["none", "p", "r"])
def test_ctrl_c_stops_the_waiting_and_the_change_only_when_asked(manager: ManagerUnderTest, answer: str) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    before = manager.pids("a")
    with Gate(manager.base) as gate:
        path = manager.write(gated(manager, "a", port))
        ours, theirs = pty.openpty()
        streams = {"stdin": theirs, "stderr": theirs} if answer != "none" else {"stderr": theirs, "stdin": -3}
        environment = {**os.environ, "TERM": "dumb"}
        applying = subprocess.Popen(
            manager.command("apply", str(path)), stdout=subprocess.DEVNULL, env=environment, **streams
        )
        os.close(theirs)
        with open(ours, "r+b", buffering=0) as terminal:
            read_until(terminal.fileno(), b"replacing")
            applying.send_signal(signal.SIGINT)
            if answer != "none":
                read_until(terminal.fileno(), b"roll back (r)")
                terminal.write(answer.encode() + b"\n")
            if answer != "r":
                said = read_until(terminal.fileno(), b"`wsgigroups rollback` undoes it")
                assert b"goes on in the background" in said
            else:
                read_until(terminal.fileno(), b"rolled back to revision 1")
            assert applying.wait(HUNG_S) == (8 if answer == "r" else 130)
        assert under_way(manager, 2) == (answer != "r")
        if answer == "none":
            undone = manager.cli("rollback")
            assert undone.returncode == 0, undone.stderr
        gate.close()
        assert manager.cli("wait", "2").returncode == (0 if answer == "p" else 8)
    assert (manager.pids("a") == before) == (answer != "p")


def read_until(fd: int, text: bytes) -> bytes:
    seen, until = b"", time.monotonic() + HUNG_S
    while text not in seen:
        assert time.monotonic() < until, seen
        if select.select([fd], [], [], 1.0)[0]:
            seen += os.read(fd, 65536)
    return seen


def test_a_manager_that_dies_in_an_apply_leaves_it_to_the_next(manager: ManagerUnderTest) -> None:
    port, other = manager.port(), manager.port()
    manager.apply(group("a", "hello_app:application", port) + group("gone", "hello_app:application", other))
    with Gate(manager.base) as gate:
        path = manager.write(gated(manager, "a", port))
        number = manager.cli("apply", "--yes", "--no-wait", str(path)).stdout.split()[-1]
        pid = manager.manager_pid
        os.kill(pid, signal.SIGKILL)
        assert not outlives(pid, 10)
        assert manager.get(other)[0] == 200
        again = subprocess.Popen(manager.command("apply", "--yes", str(path)), stdout=subprocess.DEVNULL)
        manager.wait_for("the next one has it", lambda: manager.client.running() and under_way(manager, int(number)))
        assert outcomes(manager)[2] == ("interrupted", True)
        assert manager.get(other)[0] == 200
        gate.close()
        assert again.wait(HUNG_S) == 0
    assert outcomes(manager) == {1: ("done", False), 2: ("done", True)}
    assert [g["name"] for g in manager.status()["groups"]] == ["a"]


def test_home_written_as_its_default_is_a_change(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = group("a", "hello_app:application", port)
    manager.apply(text)
    plan = manager.cli("plan", str(manager.write(text + f'home = "{os.getcwd()}"\n')))
    assert re.search(r"home-on-path +first", plan.stdout)
    assert "± a" in plan.stdout


def test_a_manager_started_elsewhere_replaces_nothing(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", "hello_app:application", manager.port()))
    before = manager.pids("a")
    for directory in ("/", "/usr"):  # the second one learns from the first where, and how, what runs was started
        os.kill(manager.manager_pid, signal.SIGKILL)
        elsewhere = {"cwd": directory, "env": {**os.environ, "LANG": "C", "LC_ALL": "POSIX"}}
        planned = manager.cli("plan", str(manager.base / "groups.toml"), **elsewhere)
        assert (planned.returncode, planned.stdout) == (0, "No changes.\n"), directory
        done = manager.cli("apply", str(manager.base / "groups.toml"), **elsewhere)
        assert (done.returncode, done.stdout) == (0, "No changes.\n"), directory
        assert manager.pids("a") == before


def test_no_umask_opens_a_directory_to_others(manager: ManagerUnderTest) -> None:
    path = manager.write(group("a", "hello_app:application", manager.port()))
    assert manager.cli("apply", str(path), umask=0).returncode == 0
    for directory in (manager.run_dir, manager.state_dir, manager.log_dir):
        assert directory.stat().st_mode & 0o022 == 0, directory
    assert (manager.log_dir / "a.log").stat().st_mode & 0o022 == 0


def test_a_configuration_that_cannot_be_stored_is_not_applied(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    before = manager.pids("a")
    (manager.state_dir / ".state.json.new").mkdir()  # the state cannot be written, revisions can
    done = manager.apply(group("a", "hello_app:application", port, "threads = 2"), code=1)
    assert "cannot store revision 2" in done.stderr
    assert "nothing was changed" in done.stderr
    assert manager.pids("a") == before
    assert outcomes(manager) == {1: ("done", True)}
    (manager.state_dir / ".state.json.new").rmdir()
    manager.apply(group("a", "hello_app:application", port, "threads = 2"))
