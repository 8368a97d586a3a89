"""Starting a log writer: an ordinary process of the manager's own interpreter, as a user that nobody else is.

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
from typing import TYPE_CHECKING

from wsgigroups.host.interpreters import find_interpreter
from wsgigroups.targets.interpreters import RUNTIME
from wsgigroups.trust.sockets import bind_unix
from wsgigroups.trust.walking import trusted_here

if TYPE_CHECKING:
    from pathlib import Path

START_TIMEOUT_S = 20.0
_BOOTSTRAP = RUNTIME / "spawner" / "__main__.py"
# Of systemd's DynamicUser= (uids and gids that no account has): nobody else's process is this user's.
_UIDS = range(61184, 65520)


async def start(path: Path, log_fd: int, children: list[subprocess.Popen[bytes]]) -> None:
    """Start one that listens on this path, and wait until it does. Raises OSError.

    log_fd: of the manager, for what it says itself; children: it is added to them as soon as it is there.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    try:
        try:
            child = _popen(path, log_fd, write_end)
        finally:
            os.close(write_end)
        children.append(child)
        if not await readable(read_end, START_TIMEOUT_S):
            child.kill()
            raise OSError(f"it was not ready within {START_TIMEOUT_S:g} s")
        if not os.read(read_end, 64).startswith(b"ready"):
            raise OSError("it ended at once; the manager's log has what it said")
    finally:
        os.close(read_end)


def _popen(path: Path, log_fd: int, ready_fd: int) -> subprocess.Popen[bytes]:
    who = ["-", "-"] if os.geteuid() else [str(_free_uid(str(path)))] * 2
    path.unlink(missing_ok=True)
    with bind_unix(str(path), trusted_here()) as listener:
        numbers = [str(listener.fileno()), str(ready_fd), *who, str(os.geteuid())]
        return subprocess.Popen(
            [str(find_interpreter(None).executable), "-I", "-S", str(_BOOTSTRAP), "write-logs", *numbers],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=[listener.fileno(), ready_fd],
            start_new_session=True,
        )


async def readable(fd: int, timeout_s: float) -> bool:
    """Wait until something can be read; whether it can."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(fd, came.set)
    try:
        await asyncio.wait_for(came.wait(), timeout_s)
    except asyncio.TimeoutError:
        return False
    finally:
        loop.remove_reader(fd)
    return True


def _free_uid(seed: str) -> int:
    """Return a uid that no account of this host has, the same each time."""
    start = sum(seed.encode()) % len(_UIDS)
    for step in range(len(_UIDS)):
        uid = _UIDS[(start + step) % len(_UIDS)]
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid
    return _UIDS[start]
