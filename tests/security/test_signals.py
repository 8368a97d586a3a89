"""Whom the manager's signals hit, and whom the kernel spares when memory runs out."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

from wsgigroups.manager.main import OOM_SCORE_ADJ
from wsgigroups.manager.supervision.processes import Hooks, Process
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
        assert other.poll() is None
    finally:
        for process in (victim, other):
            process.kill()
            process.wait()


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
