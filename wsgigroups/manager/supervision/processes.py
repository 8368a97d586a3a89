"""The manager's handles on daemons: channel, reports, board, pidfd. One `Process` per life; decides nothing.

Runs in the manager's only thread. A death is seen by pidfd, whoever the parent is.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import select
import signal
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from wsgigroups.lifecycle.step import Exit
from wsgigroups.manager.supervision.cgroups.strays import mark_of
from wsgigroups.manager.supervision.connection import FrameConnection
from wsgigroups.manager.supervision.dying import Spent
from wsgigroups.manager.supervision.reports import Reports
from wsgigroups.manager.supervision.site_pages import SitePages
from wsgigroups.runtime.wire import board, messages
from wsgigroups.runtime.wire.frames import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wsgigroups.manager.supervision.dying import Testimony
    from wsgigroups.plan.desired import GroupTarget


_PIDFD_SIGNAL_PROCESS_GROUP = 1 << 2  # pidfd_send_signal(2)
_CLOCK_S = 0.01  # a timer of the event loop may come so much early


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the owner wants to hear of."""

    on_message: Callable[[Process, messages.Message], bool]  # whether it was one that a daemon sends of itself
    on_cut: Callable[[Process, str], None]  # it is not listened to any more, and why
    on_exit: Callable[[Process, Exit], None]


class Process:
    """One life. `forked_by` is the spawner's key while that spawner reaps it, None once it is ours."""

    def __init__(
        self,
        life: int,
        info: dict[str, Any],
        channel: socket.socket,
        reports_fd: int,
        board_fd: int,
        hooks: Hooks,
        *,
        joins_late: bool = False,
    ) -> None:
        """Own the descriptors. reports_fd: -1 for a daemon that has none; joins_late: another manager read before."""
        self.life = life
        self.info = info  # group, slot, fingerprint, threads, spawner, started_at
        self.pid = 0
        self.pidfd = -1
        self.forked_by: str | None = info["spawner"]
        self.board_fd = board_fd
        self.exited = False
        self._accepts_until = math.inf  # of the loop's clock; finite once it was told to leave
        self.confined: Mapping[str, Any] | None = None  # what it said of its confinement when it was ready
        self.start_bytes = 0  # resident when it said that it was ready; 0: not known
        self.told = 0  # the number of the live options that it was sent last
        self.given: GroupTarget | None = None  # whose live options it has; None: those of a former manager
        self.site_pages = SitePages()  # of a gateway
        self.testimony: Testimony | None = None  # what it told when it was judged
        self.spent = Spent()  # once it has ended
        self.log_begin = 0  # how long its log was when it got it
        self.log_token = ""  # what its records begin with, where the log writer takes them
        self.log_said: Callable[[], str] | None = None  # tells what it said last, where its log is no file
        self.marks: frozenset[str] = frozenset()  # what it has and nobody else: cgroups.strays
        self._held: tuple[bytes, list[int]] | None = None  # the frame that it waits for
        self._later: list[messages.Message] | None = None  # what it is told before it has its spec: for afterwards
        self._hooks = hooks
        self._loop = asyncio.get_running_loop()
        # Descriptors that a tenant could send would wait in this socket, and closing them could take as long as it
        # likes: it is shut before the daemon has the other end, and what it has to say comes by its reports.
        with contextlib.suppress(OSError):  # of a daemon that is gone already
            channel.shutdown(socket.SHUT_RD)
        # the channel is dup'ed for the spawners that keep it, because a connection owns its socket
        self.channel_fd = os.dup(channel.fileno())
        self.channel = FrameConnection(channel, None, lambda _reason: None)
        self._reports: Reports | None = None
        if reports_fd >= 0:
            self.marks = frozenset({mark_of(reports_fd)})
            self._reports = Reports(reports_fd, self._told, self._cut, joins_late=joins_late)

    @property
    def group(self) -> str:
        """Whose process it is."""
        return str(self.info["group"])

    def watch(self, pid: int, pidfd: int) -> None:
        """Take the process's identity; from now on it is listened to, and its end is seen."""
        self.pid, self.pidfd = pid, pidfd
        self._loop.add_reader(pidfd, self._ended)
        if self._reports:
            self._reports.start()

    def send(self, message: messages.Message, fds: Sequence[int] = ()) -> None:
        """Send one message on the channel; the caller keeps its descriptors. Raises OSError as a connection does.

        One that has no spec yet is told afterwards: whatever else comes first is no spec, and ends it. Without
        descriptors, since those of a spec are as new.
        """
        if self._later is not None and not isinstance(message, messages.SpecMessage):
            if not fds:
                self._later.append(message)
            return
        self._send(encode(message.to_frame(), fds), fds)

    def _send(self, frame: bytes, fds: Sequence[int]) -> None:
        later, self._later = self._later, None
        self.channel.send_encoded(frame, fds)
        for each in later or ():
            self.channel.send(each.to_frame())

    def expect_spec(self) -> None:
        """It is about to be forked, and waits for its spec."""
        self._later = []

    def hold(self, message: messages.Message, fds: Sequence[int]) -> None:
        """Keep what it is to be sent first until `begin`. Raises OSError, FrameError when that cannot be."""
        self._held = (encode(message.to_frame(), fds), [])
        for fd in fds:
            self._held[1].append(os.dup(fd))

    def begin(self) -> None:
        """Send what it waits for. Raises OSError."""
        if self._held:
            try:
                self._send(*self._held)
            finally:
                self._let_go()

    def _let_go(self) -> None:
        if self._held:
            for fd in self._held[1]:
                os.close(fd)
            self._held = None

    @property
    def closed(self) -> bool:
        """Whether it is over, so that nothing can be asked of it any more."""
        return self.exited or self.board_fd < 0

    @property
    def behind(self) -> bool:
        """Whether it has not read all that was sent."""
        return self.channel.behind

    def accepts_for(self, seconds: float, after: Callable[[str], None]) -> None:
        """It was told to leave, and takes connections for so long; then call back with its group."""
        self._accepts_until = self._loop.time() + seconds
        self._loop.call_later(seconds + _CLOCK_S, after, self.group)

    @property
    def accepts(self) -> bool:
        """Whether it may take connections still."""
        return self._loop.time() < self._accepts_until

    def keep_fds(self) -> list[int]:
        """The descriptors that a spawner keeps for the next manager, in the order of `Keep`."""
        reports = [self._reports.fd] if self._reports and self._reports.fd >= 0 else []
        return [self.pidfd, self.channel_fd, *reports, self.board_fd]

    @property
    def has_ended(self) -> bool:
        """Whether the kernel says so (pidfd_open(2): the pidfd becomes readable)."""
        if self.pidfd < 0:
            return False
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(0))

    def signal(self, number: int) -> None:
        """Send a signal to exactly this process."""
        if self.pidfd >= 0 and not self.exited:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)

    def dump_stacks(self) -> None:
        """Have faulthandler write all stacks to the log, in the signal handler, without the GIL.

        Only for a process that is to end: to walk over stacks that change meanwhile can crash it.
        """
        self.signal(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL to the process, and to its group where the kernel can name that by the pidfd.

        Never by number: the spawner may have reaped it, and the number be another's. Whoever reaps it ends what is left
        of its session.
        """
        if self.pidfd < 0 or self.exited:
            return
        self._kill_group()
        self.signal(signal.SIGKILL)

    def _kill_group(self) -> None:
        with contextlib.suppress(OSError):  # EINVAL before Linux 6.9: what is left of the session is found without this
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL, None, _PIDFD_SIGNAL_PROCESS_GROUP)

    def snapshot(self) -> board.Snapshot | None:
        """The board as it is now; None when the tenant overwrote it."""
        try:
            return board.read(self.board_fd, int(self.info["threads"]))
        except (ValueError, OSError):
            return None

    def reported(self, status: Exit) -> None:
        """The spawner reaped it."""
        self._finish(status)

    def adopt(self) -> None:
        """Its spawner is gone: it is re-parented to this manager, or to nobody who would tell."""
        self.forked_by = None

    def close(self) -> None:
        """Let go of every descriptor."""
        self._let_go()
        self.site_pages.close()
        if self.pidfd >= 0:
            self._loop.remove_reader(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = -1
        if self.board_fd >= 0:
            os.close(self.board_fd)
            self.board_fd = -1
        if self.channel_fd >= 0:
            os.close(self.channel_fd)
            self.channel_fd = -1
        self.channel.close()
        if self._reports:
            self._reports.close()

    def _told(self, message: messages.Message) -> bool:
        return self._hooks.on_message(self, message)

    def _cut(self, why: str) -> None:
        self._hooks.on_cut(self, why)

    def _ended(self) -> None:
        self._loop.remove_reader(self.pidfd)
        if self.forked_by is None:
            self._finish(self._reap())
        else:
            # the spawner reaps and tells how it ended; should it die just now, `adopt` finds the process ended
            self._loop.call_later(2.0, self._spawner_was_silent)

    def _spawner_was_silent(self) -> None:
        if not self.exited:
            self._finish(self._reap())

    def _reap(self) -> Exit:
        with contextlib.suppress(ChildProcessError):
            found = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            self._kill_group()  # while nobody has reaped it, it still names its group
            if found is not None:  # then it is a zombie of ours, and nobody else can have its number
                _pid, status, used = os.wait4(found.si_pid, os.WNOHANG)
                self.spent = Spent(round(used.ru_utime + used.ru_stime, 2), used.ru_maxrss * 1024)
                if os.WIFEXITED(status):
                    return Exit(os.WEXITSTATUS(status), 0)
                return Exit(-1, os.WTERMSIG(status))
        return Exit(-1, 0)

    def _finish(self, status: Exit) -> None:
        if self.exited:
            return
        # what it said before it died is read first: its last words explain the exit
        if self._reports:
            self._reports.last_words()
        self.exited = True
        self._hooks.on_exit(self, status)
        self.close()


def moment(age_s: float = 0.0) -> str:
    """The time for people, UTC in whole seconds. Taken once for each process: the clock may be set while it runs."""
    then = datetime.now(timezone.utc) - timedelta(seconds=age_s)
    return then.isoformat(timespec="seconds").replace("+00:00", "Z")


def accepting(processes: Mapping[int, Process], life: int) -> bool:
    """Whether a life takes connections, as far as is known."""
    process = processes.get(life)
    return process is None or process.accepts
