"""Molds: what founds one, what it forks and as whom, and that a hostile one names nobody else's process."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import HUNG_S, Life, Manager
from support.users import ALICE

from wsgigroups.runtime.wire import exits, messages
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]
TOLD = """
import os, random
import wsgigroups_daemon
LOADED_IN = os.getpid()
def application(environ, start_response):
    text = "%d %d %d %d" % (LOADED_IN, os.getpid(), wsgigroups_daemon.slot, random.getrandbits(64))
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]
"""
# what a tenant may have its mold do: the module that forks is the tenant's to change
LIES = """
from wsgigroups_runtime.daemon import mold
from wsgigroups_runtime.wire import messages
say = mold._say
def lie(fd, message):
    say(fd, messages.Spawned(message.life, %d) if isinstance(message, messages.Spawned) else message)
mold._say = lie
"""
# … and what its founder may say before there is one: the pipe is the one that is no stream of a log
CLAIMS = """
import os, stat
from wsgigroups_runtime.wire.lines import encode_line
from wsgigroups_runtime.wire.messages import Molded
for fd in range(3, 64):
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.write(fd, encode_line(Molded("%d", %d)))
    except OSError:
        pass
"""


def founder(manager: Manager, application: Application) -> tuple[Life, messages.Molded]:
    """A daemon that is ready, and the mold that it has left."""
    life = manager.fork(application, founds=True)
    life.ready()
    return life, molded(manager, life)


def molded(manager: Manager, life: Life) -> messages.Molded:
    message, _fds = manager.wait_for(messages.Molded, 0)
    assert isinstance(message, messages.Molded)
    assert message.mold == str(life.number)
    return message


def unmolded(manager: Manager) -> str:
    message, _fds = manager.wait_for(messages.Unmolded, 0)
    assert isinstance(message, messages.Unmolded)
    return message.reason


def refused(manager: Manager, life_of_mold: Life) -> str:
    """Ask a mold for a daemon, which cannot be had; why."""
    with pytest.raises(AssertionError, match="Refused") as told:
        manager.fork_bare(mold=life_of_mold)
    return str(told.value)


def field(pid: int, name: str) -> list[str]:
    """A field of /proc/PID/status (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].split() for line in lines if line.startswith(f"{name}:"))


def wait_gone(pidfd: int) -> None:
    assert select.select([pidfd], [], [], HUNG_S)[0], "it does not end"
    os.close(pidfd)


def test_mold_forks_what_its_founder_has_loaded(manager: Manager, script: Script) -> None:
    first, mold = founder(manager, script(TOLD))
    second = manager.fork(script(TOLD), mold=first, slot=2)
    second.ready()
    assert manager.process is not None
    loaded_in, pid, slot, number = first.get()[1].split()
    others = second.get()[1].split()
    assert (int(loaded_in), int(pid), int(slot)) == (first.pid, first.pid, 1)
    assert (int(others[0]), int(others[1]), int(others[2])) == (first.pid, second.pid, 2)
    assert number != others[3], "both have the same random numbers"
    for process in (mold.pid, second.pid):
        assert field(process, "PPid") == [str(manager.process.pid)]
        assert [field(process, name) for name in ("NoNewPrivs", "CapEff")] == [["1"], ["0" * 16]]
        assert os.getsid(process) == process
        if os.geteuid() == 0:
            assert field(process, "Uid") == [str(ALICE)] * 4
    for life in (first, second):  # signals that are the application's, which has no handlers
        life.signal(signal.SIGHUP)
        life.signal(signal.SIGUSR2)
        assert life.get()[0] == 200
    assert manager.drain(second).exit_code == 0


def test_mold_has_nothing_of_its_founder_and_outlives_it(manager: Manager, script: Script) -> None:
    first, mold = founder(manager, script(TOLD))
    kinds = sorted(os.readlink(entry.path).partition(":")[0] for entry in os.scandir(f"/proc/{mold.pid}/fd"))
    assert kinds == ["/dev/null", "/dev/null", "/dev/null", "pipe", "socket"], "standard streams, and the spawner's two"
    first.signal(signal.SIGKILL)
    manager.wait_exited(first)
    second = manager.fork(script(TOLD), mold=first)
    second.ready()
    assert int(second.get()[1].split()[0]) == first.pid


def test_next_manager_is_told_of_molds_and_drops_one(manager: Manager, script: Script) -> None:
    first, mold = founder(manager, script(TOLD))
    manager.connect()
    assert molded(manager, first) == mold
    assert mold.info["group"] == "blog"
    pidfd = os.pidfd_open(mold.pid)
    manager.send(messages.Drop("mold", mold.mold))
    assert unmolded(manager) == ""
    wait_gone(pidfd)
    assert "its mold is gone" in refused(manager, first)
    assert first.get()[0] == 200


def test_mold_that_is_killed_is_told_of(manager: Manager, script: Script) -> None:
    first, mold = founder(manager, script(TOLD))
    os.kill(mold.pid, signal.SIGKILL)
    assert unmolded(manager) == ""
    assert "its mold is gone" in refused(manager, first)
    again, _mold = founder(manager, script(TOLD))
    assert again.get()[0] == first.get()[0] == 200


def test_molds_end_with_their_spawner(manager: Manager, script: Script) -> None:
    _first, mold = founder(manager, script(TOLD))
    pidfd = os.pidfd_open(mold.pid)
    assert manager.process is not None
    manager.process.kill()
    manager.process.wait(HUNG_S)
    wait_gone(pidfd)


def test_mold_of_what_would_not_survive_is_refused(manager: Manager, script: Script) -> None:
    source = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), name='Batch', daemon=True).start()\n"
    )
    life = manager.fork(script(source + TOLD), founds=True)
    failed = life.failed()
    assert failed.step == "import"
    assert failed.message.startswith("cannot preload the application: after the import 1 thread runs (Batch of time); ")
    assert manager.wait_exited(life).exit_code == exits.STEPS["import"]
    assert unmolded(manager) == ""


@pytest.mark.parametrize("named", ["another life", "the spawner", "nobody"])
def test_mold_that_names_a_foreign_process_is_ended(manager: Manager, script: Script, named: str) -> None:
    other = manager.fork(script(TOLD))
    other.ready()
    assert manager.process is not None
    pid = {"another life": other.pid, "the spawner": manager.process.pid, "nobody": 2**22 + 1}[named]
    first, mold = founder(manager, script(LIES % pid + TOLD, "liar.wsgi"))
    pidfd = os.pidfd_open(mold.pid)
    assert "its mold has ended" in refused(manager, first)
    assert unmolded(manager) == f"it named process {pid}, which it has not forked"
    wait_gone(pidfd)
    assert other.get()[0] == first.get()[0] == 200


def test_founder_that_names_a_foreign_process_has_no_mold(manager: Manager, script: Script) -> None:
    other = manager.fork(script(TOLD))
    other.ready()
    life = manager.fork(script(CLAIMS % (2, other.pid) + TOLD, "claims.wsgi"), founds=True)
    assert unmolded(manager) == f"it named process {other.pid}, which it has not forked"
    assert "its mold is gone" in refused(manager, life)
    assert other.get()[0] == 200
