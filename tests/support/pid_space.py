"""A pid namespace in which the next pid can be chosen: process 1 of it, which starts what a test asks for.

`PidSpace` runs in pytest's process; this file is also the program of process 1 (stdlib only), which reads one JSON
document a line and answers each with one. Needs root: ns_last_pid is written (pid_namespaces(7)).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from types import TracebackType
from typing import Any


class PidSpace:
    """A context manager; whatever lives in the namespace ends with it."""

    def __enter__(self) -> PidSpace:  # noqa: PYI034 — Self is Python 3.11
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-I", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(30)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def ask(self, what: str, *arguments: Any) -> Any:
        """Have process 1 do something: one of the functions below."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, *arguments]).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def start(command: list[str], log: str) -> int:
    """Start a command, and return its pid in the namespace."""
    with open(log, "ab") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True).pid


def send(pid: int, number: int) -> None:
    """Send a signal."""
    os.kill(pid, number)


def free(pids: list[int]) -> list[int]:
    """Reap what is ours, and return those of them that nobody has."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return [pid for pid in pids if not os.path.exists(f"/proc/{pid}")]


def take(pids: list[int]) -> list[int]:
    """Fork a stranger with each of these pids, in a session of its own; return those that could be had.

    A signal that is sent to it stays pending, since all are blocked; SIGKILL and SIGSTOP show by themselves.
    """
    taken = []
    for pid in pids:
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
            file.write(str(pid - 1))
        read_end, write_end = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        stranger = os.fork()
        if stranger == 0:
            os.setsid()
            os.close(read_end)
            os.write(write_end, b".")
            while True:
                signal.sigwait([signal.SIGRTMAX])  # which nobody sends: it waits until it is killed
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.close(write_end)
        os.read(read_end, 1)
        os.close(read_end)
        if stranger == pid:
            taken.append(pid)
        else:
            os.kill(stranger, signal.SIGKILL)
            os.waitpid(stranger, 0)
    return taken


def disturbed(pids: list[int]) -> list[str]:
    """Return what has come over strangers, and end them: one that is dead or stopped, or has a signal waiting."""
    found = []
    for pid in pids:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            found.append(f"{pid}: it is gone")
            continue
        if ended:
            found.append(f"{pid}: it ended with status {status}")
            continue
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            lines = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        waiting = int(lines["SigPnd"], 16) | int(lines["ShdPnd"], 16)
        if waiting or not lines["State"].startswith("S"):
            found.append(f"{pid}: {lines['State']}, signals {waiting:x}")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return found


if __name__ == "__main__":
    DOES = {function.__name__: function for function in (start, send, free, take, disturbed)}
    for line in sys.stdin:
        name, *rest = json.loads(line)
        print(json.dumps(DOES[name](*rest)), flush=True)  # type: ignore[operator]
