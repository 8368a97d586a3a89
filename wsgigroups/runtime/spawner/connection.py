"""One connection of a manager to this spawner: frames in, frames out, never waiting for the peer.

Runs in the spawner's only thread. Must never block, and must stay bounded when the peer does not read.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import List, Optional, Sequence

from ..wire.frames import Frame, Receiver, receive_what_fits
from ..wire.lines import LineError, encode_line
from ..wire.messages import Message
from ..wire.sender import Sender, SendError

MAXIMUM_QUEUED_BYTES = 8 * 1024 * 1024  # the inventory of some ten thousand processes
_PEER_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7))


class ConnectionLostError(Exception):
    """The peer is gone or broke the rules; the reason is the message, empty for an orderly end."""


def peer_uid(sock: socket.socket) -> int:
    """Return whose process connected, fixed at connect(2) (SO_PEERCRED). Raises OSError."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    _pid, uid, _gid = _PEER_CREDENTIALS.unpack(raw)
    return int(uid)


class ManagerConnection:
    """A manager that passed the check of its uid."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._receiver = Receiver(forgiving=True)
        self._sender = Sender(sock, MAXIMUM_QUEUED_BYTES)
        self._reports: Optional[int] = None
        self._unsaid = bytearray()

    @property
    def reports(self) -> bool:
        """Whether the manager is answered on a pipe: it takes no descriptors from here."""
        return self._reports is not None

    def report_on(self, fd: int) -> None:
        """Answer on this pipe from now on, and own it."""
        if self._reports is not None:
            os.close(self._reports)
        os.set_blocking(fd, False)
        self._reports = fd

    def unsaid_fd(self) -> Optional[int]:
        """Return the pipe when something waits for room in it, for poll."""
        return self._reports if self._unsaid else None

    def fileno(self) -> int:
        """Return the descriptor, for poll."""
        return self._sock.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether something is queued that the socket may take now."""
        return self._sender.wants_to_write

    @property
    def starved(self) -> bool:
        """Whether too many descriptors are in flight: to be tried again a little later."""
        return self._sender.starved

    @property
    def is_flushed(self) -> bool:
        """Whether everything was handed to the kernel."""
        return not self._sender.behind and not self._unsaid

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send, or queue what does not fit. The descriptors stay the caller's. Raises ConnectionLostError."""
        if self._reports is not None:
            self._say(message)
            return
        try:
            self._sender.send(message.to_frame(), fds)
        except SendError as error:
            raise ConnectionLostError("cannot write to the manager: %s" % error) from None
        except OSError as error:  # the next connection gets the whole inventory
            raise ConnectionLostError("cannot duplicate descriptors for the manager: %s" % error) from None

    def flush(self) -> None:
        """Send what the socket takes. Raises ConnectionLostError."""
        try:
            self._sender.flush()
            self._flush_reports()
        except (SendError, OSError) as error:
            raise ConnectionLostError("cannot write to the manager: %s" % error) from None

    def _say(self, message: Message) -> None:
        try:
            line = encode_line(message)
        except LineError as error:
            raise ConnectionLostError("cannot tell the manager: %s" % error) from None
        if len(self._unsaid) + len(line) > MAXIMUM_QUEUED_BYTES:
            raise ConnectionLostError("the manager does not read")
        self._unsaid += line
        self.flush()

    def _flush_reports(self) -> None:
        while self._unsaid and self._reports is not None:
            try:
                written = os.write(self._reports, self._unsaid[:65536])
            except (BlockingIOError, InterruptedError):
                return
            del self._unsaid[:written]

    def receive(self) -> List[Frame]:
        """Read once; give the frames that this completed. Raises ConnectionLostError, FrameError."""
        try:
            data, fds, dropped = receive_what_fits(self._sock)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise ConnectionLostError("cannot read from the manager: %s" % error) from None
        if not data:
            for fd in fds:
                os.close(fd)
            raise ConnectionLostError("")
        return self._receiver.feed(data, fds, dropped=dropped)

    def close(self) -> None:
        """Close the socket and every descriptor in passage."""
        self._sender.close()
        self._receiver.close()
        if self._reports is not None:
            os.close(self._reports)
            self._reports = None
        self._sock.close()
