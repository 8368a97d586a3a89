"""Where what groups say goes: to files, or to the manager's own standard streams, which containers and journald read.

Runs in the manager's only thread. A process of another user gets no descriptor of the manager's streams, nor of a file
that processes of several users write to: what one process can do to a terminal, a socket or a file it has open it can
do to the other's lines. It gets a pipe, and the log writer puts its lines there (log_writer.py).
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.log_rotation import age_s, first_time, rotate
from wsgigroups.manager.supervision.log_streams import STREAMS, SYSLOG
from wsgigroups.manager.supervision.log_writer import LogWriter, OutletFacts, new_token
from wsgigroups.runtime.wire import log_messages, messages
from wsgigroups.trust.walking import judging_root, open_to_append

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.desired import GroupTarget, LogTarget


class Logs:
    """Opens logs, and has those written by the log writer that a process cannot write itself."""

    def __init__(self, run_dir: Path, log_fd: int, log: Callable[[str, str], None]) -> None:
        """log_fd, log: the manager's own log."""
        self.writer = LogWriter(run_dir, log_fd, log, _open, self._rotate)
        self._log = log
        self._numbers = count()
        self._rules: dict[str, LogTarget] = {}  # by path, when it is rotated and how many files are kept
        self._facts: dict[str, OutletFacts] = {}  # by path, of what the log writer writes
        self._broken: set[str] = set()  # what could not be opened again
        self._begun: dict[str, float] = {}  # by path, the time of its first record, where its age counts

    def of_process(self, process: Process, target: GroupTarget) -> list[int]:
        """Open a process's log: its descriptors, the caller's to close, and `log_token`. Raises OSError."""
        process.log_token, process.log_said = "", None
        try:
            if writes_itself(target):
                fds = [_open(target.log_path)]
                process.log_begin = os.fstat(fds[0]).st_size
            else:
                facts = self._source(process, target)
                fds = list(self.writer.pipe(facts, self._outlet(target)))
                if target.uid is not None:  # so that programs can open /dev/stderr, which is this pipe
                    os.fchown(fds[0], target.uid, -1)
                self.follow(process)
        except OSError as error:
            raise OSError(error.errno, f"the log {target.log_path}: {error.strerror}") from None
        return fds

    def expect(self, target: GroupTarget) -> None:
        """A process of this group is about to be started: what it needs first may have a log, too."""
        if writes_itself(target):
            self._facts.pop(target.log_path, None)
        else:
            self._facts[target.log_path] = self._outlet(target)

    async def there(self, target: GroupTarget) -> None:
        """Have the log writer there for a process that is about to be forked, where it writes its log."""
        if target.log_path in self._facts:
            self.writer.begin()
            await self.writer.there()

    def lines(self, path: str, who: str, *, tenant: bool, form: str = "lines") -> int:
        """Open an access log or what a spawner says, where `who` writes. Raises OSError.

        tenant: it may be another user's process. As root no part of the path of a file may be another user's. form: of
        wire.log_messages.LogSource.
        """
        known = self._facts.get(path)
        if known is None and path != SYSLOG and (path not in STREAMS or not tenant):
            return _open(path)
        facts = log_messages.LogSource(f"{who} {next(self._numbers)} {os.getpid()}", path, who, form=form)
        fd, own = self.writer.pipe(facts, known or OutletFacts(lines=_lines_of(path)))
        os.close(own)
        return fd

    def follow(self, process: Process) -> None:
        """Have a process's last words asked for where they are, if the log writer reads them."""
        key = str(process.life)
        if self.writer.knows(key):
            process.log_said = partial(self.writer.last_words, key)

    def named(self, process: Process) -> None:
        """Its pid is known."""
        self.writer.change(str(process.life), pid=process.pid)

    def retarget(self, process: Process, target: GroupTarget) -> None:
        """Let a running process go by its group's options for logs. Raises OSError."""
        key = str(process.life)
        if self.writer.knows(key) and not writes_itself(target):
            facts = self._source(process, target)
            self.writer.change(key, self._outlet(target), outlet=facts.outlet, records_per_s=facts.records_per_s)
            self.follow(process)
        else:
            self.reopen(process, target)

    def reopen(self, process: Process, target: GroupTarget) -> None:
        """Give a running process its log anew: each of its lines is in the one or in the other. Raises OSError."""
        fds = self.of_process(process, target)
        try:
            process.send(messages.Reopen(process.life, process.log_token), fds)
        finally:
            for fd in fds:
                os.close(fd)

    def reopen_outlets(self) -> None:
        """Have the log writer open again what it writes to."""
        self._begun.clear()
        for path in self.writer.outlets():
            try:
                self.writer.open_again(path)
            except OSError as error:
                self._log("error", f"the log writer keeps the log that it has: {path}: {error.strerror}")

    def _source(self, process: Process, target: GroupTarget) -> log_messages.LogSource:
        process.log_token = process.log_token or new_token()
        slot = int(process.info["slot"])
        of = log_messages.LogSource(str(process.life), target.log_path, target.name, slot, process.life, process.pid)
        return replace(of, token=process.log_token, records_per_s=target.log.records_per_s)

    def _outlet(self, target: GroupTarget) -> OutletFacts:
        self._rules[target.log_path] = target.log
        is_file = target.log_path not in STREAMS
        rotate_bytes = target.log.rotate_bytes if is_file else 0
        return OutletFacts(target.log.format, rotate_bytes, _lines_of(target.log_path))

    def look(self) -> None:
        """Rotate what has become too old. From time to time."""
        self.writer.look()
        for path in [path for path in self._broken if path in self.writer.outlets()]:
            self._rotate(path)
        for path in self.writer.outlets():
            rules = self._rules.get(path)
            if rules is None or not rules.rotate_age_s or path in STREAMS:
                continue
            if path not in self._begun:
                begun = first_time(path, judging_root())
                if begun is None:
                    continue
                self._begun[path] = begun
            if age_s(self._begun[path]) > rules.rotate_age_s:
                self._rotate(path)

    def _rotate(self, path: str) -> None:
        rules = self._rules.get(path)
        self._begun.pop(path, None)
        try:
            if path not in STREAMS:
                rotate(path, rules.rotate_keep if rules else 0, judging_root())
            self.writer.open_again(path)
            self._broken.discard(path)
        except OSError as error:
            if path not in self._broken:
                what = "reach" if path in STREAMS else "rotate"
                self._log("error", f"cannot {what} {path}: {error.strerror}; it is tried again")
            self._broken.add(path)


def writes_itself(target: GroupTarget) -> bool:
    """Whether the processes of a group write their log: they are the manager's own user, who asks nothing of its lines.

    Another user's process that has a log open can truncate it and write lines of others there (open(2), O_APPEND).
    """
    of = target.log
    asked = of.format != "text" or of.rotate_bytes or of.rotate_age_s or of.records_per_s or of.shared
    return not asked and target.spec.identity is None and _lines_of(target.log_path) == "plain"


def is_the_managers(target: GroupTarget) -> bool:
    """Whether a log is written to what the manager has: its streams, or what it opened for the log writer."""
    return target.log_path in STREAMS or not writes_itself(target)


def _open(path: str) -> int:
    if path == SYSLOG:
        return connected(SYSLOG)
    stream = STREAMS.get(path)
    return open_to_append(path, judging_root()) if stream is None else os.dup(stream)


def connected(path: str) -> int:
    """Return a datagram socket that is connected to this one, as syslog(3) has it. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(path)
        return sock.detach()


def _lines_of(path: str) -> str:
    """How an outlet has its lines. A stream is journald's where JOURNAL_STREAM names it (systemd.exec(5))."""
    if path == SYSLOG:
        return "syslog"
    stream = STREAMS.get(path)
    if stream is None:
        return "plain"
    found = os.fstat(stream)
    return "journal" if os.environ.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}" else "plain"


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
