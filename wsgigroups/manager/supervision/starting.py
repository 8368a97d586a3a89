"""Starting a spawner: with root's interpreter as it is, with any other by a launcher that becomes the user first.

Runs in the manager's only thread. Whatever is started, it is waited for without being believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import setproctitle

from wsgigroups.errors import WsgigroupsError
from wsgigroups.host.interpreters import find_interpreter
from wsgigroups.plan.desired import SpawnerTarget
from wsgigroups.runtime.accelerator import SWITCH
from wsgigroups.targets.interpreters import RUNTIME
from wsgigroups.trust.interpreters import doubt_about_interpreter

if TYPE_CHECKING:
    import socket

    from wsgigroups.manager.supervision.logs import Logs

START_TIMEOUT_S = 20.0
KEEPER = "keeper"  # a spawner that forks nothing: it keeps what belongs to spawners that are users'
_BOOTSTRAP = RUNTIME / "spawner" / "__main__.py"
_LIBRARY_DIR = Path(setproctitle.__file__).parent.parent  # the site-packages that spawners may take it from
_END_S = 2.0


def keeper_target() -> SpawnerTarget:
    """The manager's own interpreter, which root runs already."""
    return SpawnerTarget(KEEPER, str(find_interpreter(None).executable))


class DoubtfulInterpreterError(WsgigroupsError):
    """Root does not start it: no later attempt would either, unless somebody changes something."""


class Starter:
    """Starts spawners and reaps those of its own that have ended."""

    def __init__(self, log_fd: int, descriptor_limit: int, logs: Logs) -> None:
        """log_fd: of the manager, for spawners that are its own; descriptor_limit: soft RLIMIT_NOFILE of daemons."""
        self._log_fd = log_fd
        self._descriptor_limit = descriptor_limit
        self._children: list[subprocess.Popen[bytes]] = []
        self._logs = logs

    def child_pids(self) -> set[int]:
        """Spawners that have not ended; reaps those that have."""
        self._children = [child for child in self._children if child.poll() is None]
        return {child.pid for child in self._children}

    async def start(self, target: SpawnerTarget, listener: socket.socket, log_path: str, entrance: int = -1) -> None:
        """Start one that listens on a bound socket, and wait until it is ready. Raises WsgigroupsError, OSError.

        log_path: of one that is a user's, who must not write to the manager's log; entrance: its cgroup.procs to write
        to, -1 where it has no cgroup.
        """
        if target.uid is None and target.key != KEEPER:
            await _refuse_doubtful(Path(target.executable))
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                if target.uid is None:
                    listener.listen(4)
                    child = self._popen(target, listener.fileno(), write_end, self._log_fd)
                else:
                    child = self._launch(target, listener.fileno(), write_end, log_path, entrance)
            finally:
                os.close(write_end)
            self._children.append(child)
            await _ready_line(read_end, target, child)
        finally:
            os.close(read_end)

    def _launch(
        self, target: SpawnerTarget, listen_fd: int, ready_fd: int, log_path: str, entrance: int
    ) -> subprocess.Popen[bytes]:
        log_fd = self._logs.lines(log_path, f"spawner {target.key}", tenant=True, form="records")
        try:
            groups = ",".join(map(str, target.groups))
            own = [str(find_interpreter(None).executable), "-I", "-S", str(_BOOTSTRAP), "launch"]
            who = [str(target.uid), str(target.gid), groups, str(listen_fd), str(ready_fd)]
            place = ["" if entrance < 0 else str(entrance)]
            return self._popen(target, listen_fd, ready_fd, log_fd, [*own, *who, *place], entrance)
        finally:
            os.close(log_fd)

    def _popen(
        self,
        target: SpawnerTarget,
        listen_fd: int,
        ready_fd: int,
        log_fd: int,
        before: list[str] | None = None,
        entrance: int = -1,
    ) -> subprocess.Popen[bytes]:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        if target.lang:
            environment["LANG"] = target.lang
        if target.locale:
            environment["LC_ALL"] = target.locale
        if SWITCH in os.environ:
            environment[SWITCH] = os.environ[SWITCH]
        arguments = [*(before or []), target.executable, "-I", "-S", str(_BOOTSTRAP), "--listen-fd", str(listen_fd)]
        arguments += ["--key", target.key, "--ready-fd", str(ready_fd), "--library-dir", str(_LIBRARY_DIR)]
        arguments += ["--descriptor-limit", str(self._descriptor_limit)]
        try:
            return subprocess.Popen(
                arguments,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                pass_fds=[fd for fd in (listen_fd, ready_fd, entrance) if fd >= 0],
                start_new_session=True,
            )
        except OSError as error:
            raise WsgigroupsError(
                f"cannot start the interpreter {target.executable}: {error.strerror}", hint="check python-home"
            ) from None


async def _refuse_doubtful(executable: Path) -> None:
    """As root: it was judged when it was chosen, and may have become somebody's since."""
    if os.geteuid() != 0:
        return
    doubt = await asyncio.to_thread(doubt_about_interpreter, executable)
    if doubt:
        raise DoubtfulInterpreterError(
            f"cannot start the interpreter {executable} as root: {doubt}",
            hint="apply the configuration again: its groups get spawners of their own users",
        )


async def _ready_line(fd: int, target: SpawnerTarget, child: subprocess.Popen[bytes]) -> None:
    """Wait until the spawner says that it is ready; end-of-file without the line means that it died."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def came() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(fd, came)
    try:
        await asyncio.wait_for(readable, START_TIMEOUT_S)
        line = os.read(fd, 64)
    except asyncio.TimeoutError:
        line = b""
    finally:
        loop.remove_reader(fd)
    if not line.startswith(b"ready"):
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a user's may end as late as it likes
            await asyncio.to_thread(child.wait, _END_S)
        how = "it does not end" if child.returncode is None else f"it ended with status {child.returncode}"
        log = "the manager's log" if target.uid is None else "the log of the group"
        raise WsgigroupsError(
            f"cannot start a spawner with {target.executable}: {how}",
            hint=f"{log} has what it said; python-home needs CPython 3.8 or newer",
        )
