"""What a daemon was given for its life: its ends, its board, its spec, and the descriptors that came with that.

Runs in the main thread. A process that a mold has forked is given its own in the place of those that it inherited:
what the application was loaded with refers to this object, and so goes by the life that it is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional

from ..log import LogLines
from ..originals import os
from ..wire.board import Board
from . import descriptors
from .reporter import Reporter

if TYPE_CHECKING:
    from .lifetime import Lifetime


class Given:
    """One life's: spec, reporter, board, the descriptors of its log, of its listeners and of their pulses."""

    lifetime: "Lifetime"  # once there is one

    def __init__(self, channel_fd: int, reports_fd: int, board_fd: int) -> None:
        """Own the descriptors, and wait for the spec. Raises SpecError, ValueError, OSError."""
        self.take(channel_fd, reports_fd, board_fd)

    def take(self, channel_fd: int, reports_fd: int, board_fd: int) -> None:
        """Go by these from now on: the same as at first."""
        self.reporter = Reporter(channel_fd, reports_fd)
        self.board = Board(board_fd)
        os.close(board_fd)
        self.spec, fds = self.reporter.receive_spec()
        self._log_fd = fds.pop(0)
        self.access_fd: Optional[int] = fds.pop() if self.spec.access_log else None
        self._records_fd = fds.pop(0) if self.spec.log_token else -1
        count = len(self.spec.listen)
        self.listener_fds, self.pulse_fds = fds[:count], fds[count:]

    def kept(self) -> List[int]:
        """Return all descriptors that it needs, without the standard streams."""
        others = [self._records_fd, -1 if self.access_fd is None else self.access_fd]
        return [
            *(*self.reporter.descriptors(), *self.listener_fds, *self.pulse_fds),
            *(fd for fd in others if fd >= 0),
        ]

    def open_log(self, lines: LogLines) -> None:
        """Make its log that of the process. Raises StepError("descriptors")."""
        if self.spec.log_token:
            lines.switch(self.spec.log_token, self._records_fd)
        self.reporter.on_log = lines.switch
        descriptors.redirect(self._log_fd)

    def let_go(self, lines: LogLines) -> None:
        """Close what a mold does not need of its founder, whose reporter has been forgotten in the fork."""
        lines.switch("", -1)
        for fd in (*self.listener_fds, *self.pulse_fds, -1 if self.access_fd is None else self.access_fd):
            if fd >= 0:
                os.close(fd)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        descriptors.write_to(null)
        os.close(null)

    def script_changed(self, path: str) -> None:
        """Note that a script was written anew; called in request threads."""
        self.lifetime.script_changed(path)
