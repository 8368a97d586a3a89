"""One connection of a manager to this spawner: frames in, frames out, never waiting for the peer.

Runs in the spawner's only thread. Must never block, and must stay bounded when the peer does not read.
"""

from __future__ import annotations

import array
import errno
import os
import socket
import struct
from collections import deque
from typing import Deque, List, Sequence, Tuple

from ..wire.frames import Frame, Receiver, encode, receive_some
from ..wire.messages import Message

MAXIMUM_QUEUED_BYTES = 8 * 1024 * 1024  # the inventory of some ten thousand processes
_PEER_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7))


class ConnectionLostError(Exception):
    """The peer is gone or broke the rules; the reason is the message, empty for an orderly end."""


def peer_uid(sock: socket.socket) -> int:
    """Return whose process connected, fixed at connect(2) (SO_PEERCRED). Raises OSError."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    _pid, uid, _gid = _PEER_CREDENTIALS.unpack(raw)
    return int(uid)


class _Outgoing:
    """A frame that is not wholly sent; owns duplicates of its descriptors until they are."""

    def __init__(self, data: bytes, fds: Sequence[int]) -> None:
        self.data = memoryview(data)
        self.fds: List[int] = []
        try:
            for fd in fds:
                self.fds.append(os.dup(fd))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class Connection:
    """A manager that passed the check of its uid; `greeted` once its Hello has come."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._receiver = Receiver()
        self._queue: Deque[_Outgoing] = deque()
        self._queued_bytes = 0
        self.greeted = False
        self.starved = False  # too many descriptors in flight: try again a little later, polling would spin

    def fileno(self) -> int:
        """Return the descriptor, for poll."""
        return self._sock.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether something is queued that the socket may take now."""
        return bool(self._queue) and not self.starved

    @property
    def is_flushed(self) -> bool:
        """Whether everything was handed to the kernel."""
        return not self._queue

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Queue and send as much as fits. The descriptors stay the caller's. Raises ConnectionLostError."""
        try:
            outgoing = _Outgoing(encode(message.to_frame(), fds), fds)
        except OSError as error:
            raise ConnectionLostError("cannot duplicate descriptors for the manager: %s" % error) from None
        self._queue.append(outgoing)
        self._queued_bytes += len(outgoing.data)
        self.flush()
        if self._queued_bytes > MAXIMUM_QUEUED_BYTES:
            raise ConnectionLostError("the manager does not read: %d bytes are waiting for it" % self._queued_bytes)

    def flush(self) -> None:
        """Send what the socket takes. Raises ConnectionLostError."""
        self.starved = False
        while self._queue:
            outgoing = self._queue[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", outgoing.fds).tobytes())]
            try:
                sent = self._sock.sendmsg([outgoing.data], rights if outgoing.fds else [])
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:  # more descriptors in flight than RLIMIT_NOFILE (unix(7))
                    self.starved = True
                    return
                raise ConnectionLostError("cannot write to the manager: %s" % error) from None
            outgoing.close()  # they went with the first byte
            outgoing.data = outgoing.data[sent:]
            self._queued_bytes -= sent
            if len(outgoing.data):
                return
            self._queue.popleft()

    def receive(self) -> List[Frame]:
        """Read once; give the frames that this completed. Raises ConnectionLostError, FrameError."""
        try:
            data, fds = receive_some(self._sock)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise ConnectionLostError("cannot read from the manager: %s" % error) from None
        if not data:
            for fd in fds:
                os.close(fd)
            raise ConnectionLostError("")
        return self._receiver.feed(data, fds)

    def close(self) -> None:
        """Close the socket and every descriptor in passage."""
        for outgoing in self._queue:
            outgoing.close()
        self._queue.clear()
        self._receiver.close()
        self._sock.close()

    def names(self) -> Tuple[int, bool]:
        """Return descriptor and whether it was greeted, for log lines."""
        return self._sock.fileno(), self.greeted
