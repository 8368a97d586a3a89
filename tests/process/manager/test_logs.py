"""Where lines of groups go: renamed files, options that change, the manager's own streams; inherited umasks."""

from __future__ import annotations

import os
import re
import signal

import pytest
from support.manager import APPS, ManagerUnderTest


def group(port: int, more: str = "", app: str = "printing_app") -> str:
    return f'[groups.a]\napp = "{app}:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{more}'


def said(text: str) -> list[str]:
    """What of a log the application has printed, without whose it is and since when."""
    lines = [line for line in text.splitlines() if "said /" in line]
    return [re.sub(r"\S+Z \S+ life=\d+ pid=\d+ (request=\S+ )?stdout: ", "", line) for line in lines]


@pytest.mark.parametrize("way", ["signal", "command"])
def test_logs_are_opened_again_after_a_rename(manager: ManagerUnderTest, way: str) -> None:
    port = manager.port()
    manager.apply(group(port))
    pids = manager.pids("a")
    for number in range(3):
        manager.get(port, f"/before{number}")
    for name in ("a", "manager"):
        os.rename(manager.log_dir / f"{name}.log", manager.log_dir / f"{name}.log.1")
    manager.get(port, "/still")  # nobody has said anything: it goes where it went
    if way == "signal":
        os.kill(manager.manager_pid, signal.SIGUSR1)
    else:
        assert manager.cli("logs", "--reopen").returncode == 0
    manager.wait_for("it is opened again", lambda: (manager.log_dir / "a.log").exists())
    manager.status()  # the manager has told it
    number = 0
    while "after" not in manager.log("a"):
        manager.get(port, f"/after{number}")
        number += 1
        assert number < 1000
    before, after = said(manager.log("a.log.1")), said(manager.log("a"))
    everything = [*(f"said /before{i}" for i in range(3)), "said /still", *(f"said /after{i}" for i in range(number))]
    assert before + after == everything
    assert manager.pids("a") == pids
    if way == "signal":
        assert "SIGUSR1: every log was opened again" in manager.log("manager")


def test_another_error_log_needs_no_other_process(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group(port))
    pids = manager.pids("a")
    manager.get(port, "/first")
    manager.apply(group(port, f'error-log = "{manager.log_dir}/b.log"\n'))
    assert manager.pids("a") == pids
    manager.get(port, "/second")
    assert said(manager.log("a")) == ["said /first"]
    assert said(manager.log("b")) == ["said /second"]


def test_a_log_that_cannot_be_opened_again_is_kept(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group(port))
    manager.get(port, "/first")
    assert said(manager.log("a")) == ["said /first"], "it has been opened"
    os.rename(manager.log_dir / "a.log", manager.log_dir / "a.log.1")
    (manager.log_dir / "a.log").symlink_to("a.log.1")
    assert manager.cli("logs", "--reopen").returncode == 0
    manager.get(port, "/second")
    assert said(manager.log("a.log.1")) == ["said /first", "said /second"]
    assert "keeps the log that it has: " in manager.log("manager")


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2"])
def test_the_streams_of_the_manager_are_logs(manager: ManagerUnderTest, name: str) -> None:
    port = manager.port()
    path = manager.write(group(port, f'error-log = "{name}"\n'))
    with manager.foreground(str(path)):
        manager.wait_up("a")
        manager.get(port, "/out")
        manager.wait_for("it is passed on", lambda: said(manager.foreground_log()))
        (line,) = said(manager.foreground_log())
        if os.geteuid() == 0:  # by a pipe: the stream itself is not for another user's process
            assert re.search(
                rf"Z a/1 life=\d+ pid={manager.pids('a')[1]} request=\S+ stdout: said /out\n", manager.foreground_log()
            )
            kinds = {os.readlink(f"/proc/{manager.pids('a')[1]}/fd/{fd}").partition(":")[0] for fd in (1, 2)}
            assert kinds == {"pipe"}
        assert line == "said /out"
        done = manager.cli("logs", "a")
        assert done.returncode == 0
        assert "a logs to the manager's std" in done.stderr
    assert not (manager.base / "-").exists()


def test_who_prints_much_keeps_nobody_waiting(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group(port, 'error-log = "-"\n'))
    with manager.foreground(str(path)):
        manager.wait_up("a")
        assert manager.get(port, "/flood")[0] == 200

        def is_passed_on() -> bool:  # the first ones may find no room yet
            return manager.get(port, "/next")[0] == 200 and "said /next" in manager.foreground_log()

        manager.wait_for("what comes later is passed on", is_passed_on)
        assert manager.status()["groups"][0]["state"] == "ready"


def test_processes_print_on_while_the_manager_is_gone_and_to_the_next_one(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group(port, 'error-log = "-"\n'))
    with manager.foreground(str(path)) as process:
        manager.wait_up("a")
        pids = manager.pids("a")
        process.kill()
        process.wait()
        for number in range(50):
            assert manager.get(port, f"/alone{number}")[0] == 200
    with manager.foreground(str(path)):
        manager.wait_up("a")
        assert manager.pids("a") == pids

        def arrives() -> bool:
            manager.get(port, "/again")
            return "said /again" in manager.foreground_log()

        manager.wait_for("the next manager has it", arrives)


@pytest.mark.parametrize("mask", [0o077, 0o002])
def test_the_umask_is_inherited(manager: ManagerUnderTest, mask: int) -> None:
    port = manager.port()
    manager.apply(group(port, app="identity_app"), umask=mask)
    assert manager.identity(port)["umask"] == mask
    manager.apply(group(port, 'umask = "0027"\n', app="identity_app"))
    assert manager.identity(port)["umask"] == 0o027


def test_directories_of_ours_are_not_open_to_all_whatever_the_umask_is(manager: ManagerUnderTest) -> None:
    manager.apply(group(manager.port()), umask=0)
    for directory in (manager.log_dir, manager.state_dir, manager.run_dir):
        assert not directory.stat().st_mode & 0o022, directory
    assert not (manager.log_dir / "manager.log").stat().st_mode & 0o022
