"""Length-prefixed JSON frames over a UNIX stream socket, with descriptors as passengers.

Runs in manager, spawner and daemon. A frame is a 4-byte big-endian length and that many bytes of JSON; the object's
key "fds" says how many descriptors travel with it (unix(7), SCM_RIGHTS). A peer that breaks the form is cut off.
"""

from __future__ import annotations

import array
import json
import struct
from typing import Any, Dict, List, Sequence, Tuple

from ..originals import os, socket

MAXIMUM_FRAME_BYTES = 16 * 1024 * 1024  # a spec carries a whole environment; execve itself stops at 2 MiB by default
MAXIMUM_FDS = 250  # two for each address of a group, a log, two of our own; Linux passes 253 (SCM_MAX_FD)
_LENGTH = struct.Struct(">I")
_RECEIVE_BYTES = 65536


class FrameError(Exception):
    """The peer sent something that is not a frame; the connection is of no further use."""


Frame = Tuple[Dict[str, Any], List[int]]


def encode(body: Dict[str, Any], fds: Sequence[int] = ()) -> bytes:
    """Return the bytes of one frame. Raises FrameError above the limits."""
    if len(fds) > MAXIMUM_FDS:
        raise FrameError("cannot send %d descriptors in one frame: the limit is %d" % (len(fds), MAXIMUM_FDS))
    data = json.dumps(dict(body, fds=len(fds)), separators=(",", ":"), ensure_ascii=True).encode("ascii")
    if len(data) > MAXIMUM_FRAME_BYTES:
        raise FrameError("cannot send a frame of %d bytes: the limit is %d" % (len(data), MAXIMUM_FRAME_BYTES))
    return _LENGTH.pack(len(data)) + data


def send(sock: socket.socket, body: Dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one frame on a blocking socket; the descriptors stay open here. Raises OSError, FrameError."""
    data = encode(body, fds)
    sent = 0
    if fds:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
        sent = sock.sendmsg([data], rights)
    if sent < len(data):
        sock.sendall(memoryview(data)[sent:])


class Receiver:
    """Turns received bytes and descriptors into frames. Has no socket of its own, so it can be fed by any loop."""

    def __init__(self, *, forgiving: bool = False) -> None:
        """forgiving: a frame whose descriptors the kernel dropped is given without any and with "dropped", a number."""
        self._data = bytearray()
        self._fds: List[int] = []
        self._forgiving = forgiving
        self._dropped = False

    def feed(self, data: bytes, fds: Sequence[int] = (), *, dropped: bool = False) -> List[Frame]:
        """Take what one recvmsg returned; give the frames that are complete. Raises FrameError.

        dropped: there was no room for all descriptors (MSG_CTRUNC, recvmsg(2)).
        """
        self._data += data
        self._dropped = self._dropped or (dropped and self._forgiving)
        self._fds += fds
        frames: List[Frame] = []
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if length > MAXIMUM_FRAME_BYTES:
                raise FrameError("a frame of %d bytes was announced: the limit is %d" % (length, MAXIMUM_FRAME_BYTES))
            if len(self._data) < _LENGTH.size + length:
                break
            raw = bytes(self._data[_LENGTH.size : _LENGTH.size + length])
            del self._data[: _LENGTH.size + length]
            frames.append(self._frame(raw))
        if len(self._fds) > MAXIMUM_FDS:
            raise FrameError("%d descriptors arrived that no frame has claimed" % len(self._fds))
        return frames

    def _frame(self, raw: bytes) -> Frame:
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise FrameError("a frame is not JSON: %s" % error) from None
        if not isinstance(body, dict) or not isinstance(body.get("type"), str):
            raise FrameError("a frame is not an object with a type")
        count = body.pop("fds", 0)
        if self._dropped and isinstance(count, int) and count > len(self._fds):
            self._dropped = (
                False  # one read ends with the first message that has descriptors (unix(7)): it was this one
            )
            self.close()
            return dict(body, dropped=count), []
        if not isinstance(count, int) or not 0 <= count <= MAXIMUM_FDS or count > len(self._fds):
            raise FrameError("a frame announced %r descriptors and %d arrived" % (count, len(self._fds)))
        fds, self._fds = self._fds[:count], self._fds[count:]
        return body, fds

    def close(self) -> None:
        """Close the descriptors that no frame claimed."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []


def receive_some(sock: socket.socket) -> Tuple[bytes, List[int]]:
    """One recvmsg: bytes (empty at the end of the stream) and descriptors, all close-on-exec. Raises OSError."""
    data, fds, _dropped = receive_what_fits(sock)
    return data, fds


def receive_what_fits(sock: socket.socket) -> Tuple[bytes, List[int], bool]:
    """One recvmsg as `receive_some`, and whether descriptors were dropped because this process may open no more."""
    space = socket.CMSG_SPACE(MAXIMUM_FDS * array.array("i").itemsize)
    data, ancillary, flags, _address = sock.recvmsg(_RECEIVE_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return data, list(fds), bool(flags & socket.MSG_CTRUNC)


class Channel:
    """Blocking, in-order frames on one socket; what a spawner's child uses before it has threads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._receiver = Receiver()
        self._ready: List[Frame] = []

    def fileno(self) -> int:
        """Return the descriptor, for select."""
        return self.sock.fileno()

    def send(self, body: Dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one frame. Raises OSError when the peer is gone."""
        send(self.sock, body, fds)

    def receive(self) -> Frame:
        """Wait for one frame. Raises EOFError at the end of the stream, FrameError, OSError."""
        while not self._ready:
            self._ready += self.receive_ready()
        return self._ready.pop(0)

    def receive_ready(self) -> List[Frame]:
        """Read once and return the frames that this completed. Raises EOFError at the end of the stream."""
        data, fds = receive_some(self.sock)
        if not data:
            self._receiver.close()
            raise EOFError("the peer closed the channel")
        return self._receiver.feed(data, fds)
