"""A disk whose writes fail (EIO), as strace makes them for processes that run already.

Runs in pytest's process. Detached again, they write as before.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Wait = Callable[[str, Callable[[], bool]], object]


@contextmanager
def broken(wait_for: Wait, pid: int, *paths: Path) -> Iterator[None]:
    """Have write(2) and fsync(2) of a process fail meanwhile: on these files, without any on whatever it writes to."""
    only = [word for path in paths for word in ("-P", str(path))]
    inject = ["-e", "trace=write,fsync", "-e", "inject=write,fsync:error=EIO"]
    with subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", *only, *inject, "-p", str(pid)]) as tracer:
        try:
            wait_for(f"strace has process {pid}", lambda: set(_of_threads(pid, "TracerPid")) == {str(tracer.pid)})
            yield
            # a system call that strace has not ended yet would fail as one that does not exist
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
            wait_for(f"process {pid} stands", lambda: {found[0] for found in _of_threads(pid, "State")} <= set("tTZX"))
        finally:
            tracer.terminate()
    wait_for(f"strace has left process {pid}", lambda: set(_of_threads(pid, "TracerPid")) <= {"0"})
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _of_threads(pid: int, name: str) -> list[str]:
    """Return what /proc/PID/task/TID/status says of each thread; nothing for a process that is gone."""
    found = []
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(OSError):
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            found.append(lines[name].strip())
    return found
