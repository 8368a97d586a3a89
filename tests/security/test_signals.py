"""Whom the manager's signals hit, and whom the kernel spares when memory runs out."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest

from wsgigroups.manager.main import OOM_SCORE_ADJ
from wsgigroups.manager.supervision.processes import Hooks, Process
from wsgigroups.runtime.spawner.sessions import kill_sessions
from wsgigroups.runtime.wire import board

LOWER = f"import os; os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'{OOM_SCORE_ADJ}')"


def sleeper() -> subprocess.Popen[bytes]:
    """A process that leads a group of its own and does nothing."""
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)


def test_a_kill_goes_to_the_process_and_not_to_whoever_has_its_number() -> None:
    victim, other = sleeper(), sleeper()

    async def kill() -> None:
        ours, theirs = socket.socketpair()
        info = {"threads": 1, "spawner": "s", "group": "a", "slot": 1}
        hooks = Hooks(lambda *_: True, lambda *_: None, lambda *_: None)
        process = Process(1, info, ours, -1, board.create(1, "test"), hooks)
        process.watch(other.pid, os.pidfd_open(victim.pid))  # the number is another's by now
        process.kill()
        assert await asyncio.to_thread(victim.wait, 30) == -signal.SIGKILL
        process.close()
        theirs.close()

    try:
        asyncio.run(kill())
        assert outlives(other.pid, 0.5)
    finally:
        for process in (victim, other):
            process.kill()
            process.wait()


def test_what_somebody_else_reaped_leaves_a_number_that_is_not_signalled() -> None:
    """The spawner reaped it, and is gone: a manager that adopts it has a number that is another process's by now."""
    ended, other = sleeper(), sleeper()

    async def adopt() -> None:
        ours, theirs = socket.socketpair()
        info = {"threads": 1, "spawner": "s", "group": "a", "slot": 1}
        over = asyncio.get_running_loop().create_future()
        hooks = Hooks(lambda *_: True, lambda *_: None, lambda _process, how: over.set_result(how))
        process = Process(1, info, ours, -1, board.create(1, "test"), hooks)
        pidfd = os.pidfd_open(ended.pid)
        ended.kill()
        ended.wait()
        process.watch(other.pid, pidfd)
        process.adopt()
        await asyncio.wait_for(over, 30)
        theirs.close()

    try:
        asyncio.run(adopt())
        assert outlives(other.pid, 0.5)
    finally:
        for process in (ended, other):
            process.kill()
            process.wait()


def test_a_session_is_ended_by_descriptors_while_its_leader_is_not_reaped() -> None:
    """Whoever is in the group, and whoever left it for another one of that session; nobody with another session."""
    code = (
        "import os, subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import signal; signal.pause()']\n"
        "ways = {}, {'preexec_fn': lambda: os.setpgid(0, 0)}, {'start_new_session': True}\n"
        "print(*(subprocess.Popen(sleep, **way).pid for way in ways), flush=True)\n"
        "os._exit(0)"
    )
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True, text=True)
    assert leader.stdout is not None
    with leader.stdout:
        pids = [int(word) for word in leader.stdout.readline().split()]
    os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
    pidfds = [os.pidfd_open(pid) for pid in pids]
    try:
        assert kill_sessions([leader.pid], apart=pids)[leader.pid] == 0
        assert not select.select([pidfds[1]], [], [], 0)[0]  # of those it was said that they are in no such session
        assert kill_sessions([leader.pid])[leader.pid] >= 1
        for fd in pidfds[:2]:
            assert select.select([fd], [], [], 30)[0]
        assert not select.select([pidfds[2]], [], [], 0)[0]
    finally:
        signal.pidfd_send_signal(pidfds[2], signal.SIGKILL)
        for fd in pidfds:
            os.close(fd)
        leader.wait()


@pytest.mark.root
def test_daemons_go_before_the_manager_and_cannot_hide_behind_it(manager: ManagerUnderTest) -> None:
    may = subprocess.run([sys.executable, "-c", LOWER], stderr=subprocess.DEVNULL, check=False).returncode == 0
    port = manager.port()
    manager.apply(
        f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        'user = "alice"\n'
    )

    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    (daemon,) = manager.pids("a").values()
    spawner = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    expected = OOM_SCORE_ADJ if may else score(os.getpid())
    assert [score(pid) for pid in (manager.manager_pid, spawner, daemon)] == [expected, expected, 0]
