"""Where what groups say goes: to files, or to the manager's own standard streams, which containers and journald read.

Runs in the manager's only thread. A process of another user gets no descriptor of the manager's streams, because what
one process can do to a terminal, a socket or a file it has open it can do to the other's lines: it gets a pipe, whose
lines are passed on with the name of who wrote them (log_pipe.py).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.log_pipe import LogPipe
from wsgigroups.runtime.wire import messages
from wsgigroups.trust.walking import judging_root, open_to_append

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.desired import GroupTarget

STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}  # as configurations name them, and the manager's descriptors


class Logs:
    """Opens logs. Closes the pipes of processes that have ended by itself: their ends are seen."""

    def __init__(self) -> None:
        self._pipes: set[LogPipe] = set()

    def open(self, path: str, who: Callable[[], str], *, tenant: bool) -> int:
        """Return a descriptor for a process to write to, the caller's. Raises OSError.

        who: named before lines that are passed on; tenant: it may be another user's process. As root no part of the
        path of a file may be another user's.
        """
        stream = STREAMS.get(path)
        if stream is None:
            return open_to_append(path, judging_root())
        return self._piped(stream, who)[0] if tenant else os.dup(stream)

    def _piped(self, stream: int, who: Callable[[], str]) -> tuple[int, LogPipe]:
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        pipe = LogPipe(read_end, stream, who, self._pipes.discard)
        self._pipes.add(pipe)
        return write_end, pipe

    def of_process(self, process: Process, target: GroupTarget) -> int:
        """Open a process's log. Raises OSError."""

        def who() -> str:
            return f"{process.group}/{process.info['slot']} pid={process.pid}"

        stream = STREAMS.get(target.log_path)
        process.log_pipe = None
        try:
            if stream is not None and target.spec.identity is not None:  # it may be another user's process
                fd, process.log_pipe = self._piped(stream, who)
            else:
                fd = self.open(target.log_path, who, tenant=False)
        except OSError as error:
            raise OSError(error.errno, f"the log {target.log_path}: {error.strerror}") from None
        process.log_begin = os.fstat(fd).st_size
        return fd

    def reopen(self, process: Process, target: GroupTarget) -> None:
        """Give a running process its log anew: each of its lines is in the one or in the other. Raises OSError."""
        fd = self.of_process(process, target)
        try:
            process.send(messages.Reopen(process.life), (fd,))
        finally:
            os.close(fd)

    def close(self) -> None:
        """Pass on what has come, and listen no more."""
        for pipe in list(self._pipes):
            pipe.close()


def reopen_own(path: str) -> None:
    """Put the manager's own log, a file at this path, where it is written to now: stderr, and stdout if it is the same.

    Raises OSError.
    """
    same = os.path.sameopenfile(1, 2)
    fd = open_to_append(path, judging_root())
    try:
        os.dup2(fd, 2)
        if same:
            os.dup2(fd, 1)
    finally:
        os.close(fd)


def is_own_log(path: str) -> bool:
    """Whether the manager's stderr is the file at this path."""
    try:
        return os.path.samestat(os.fstat(2), os.stat(path))
    except OSError:
        return False
