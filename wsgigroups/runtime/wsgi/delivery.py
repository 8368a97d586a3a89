"""Bytes of one answer on their way to the client: to the socket, else to the poller, which has room for a little.

Used by the request thread that owns the connection. It waits when the client is slow and that room is used up.
"""

from __future__ import annotations

import errno
from typing import Optional

from ..front.answering import Front
from ..front.connection import Connection
from ..front.output import DONT_WAIT, Output
from ..originals import os, select, time
from ..protocol.heads import Head

SENDFILE_BYTES = 1 << 30
_OF_THE_FILE = frozenset((errno.EBADF, errno.EINVAL, errno.EIO, errno.EOVERFLOW, errno.ENOMEM))  # sendfile(2), "ERRORS"


class ClientGoneError(OSError):
    """The client has closed the connection, or has taken nothing for response-socket-timeout."""


class Delivery:
    """The base of an exchange: all that it has to do with a socket. Whoever makes one sets what is declared here."""

    __slots__ = ("connection", "framed_bytes", "front", "gone", "head", "sent_bytes", "stalled_ns")

    front: Front
    connection: Connection
    head: Head
    sent_bytes: int
    framed_bytes: int  # of these, what is no body: the head, and what chunks are framed with
    stalled_ns: int  # for how long the request thread has waited for the client
    gone: bool  # the client has left

    def send(self, data: bytes, flags: int = DONT_WAIT) -> None:
        """Give bytes to the client. Raises ClientGoneError."""
        connection = self.connection
        if self.gone:
            raise ClientGoneError("the client is gone")
        sent = 0
        if connection.output is None:
            try:
                sent = connection.sock.send(data, flags)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise self.lost(error) from None
        self.sent_bytes += len(data)
        if sent < len(data):
            self._buffer(memoryview(data)[sent:])

    def send_region(self, fd: int, offset: int, count: int) -> int:
        """Send a region of a file without reading it; returns how much there was. Raises ClientGoneError, OSError."""
        connection = self.connection
        end = offset + count
        if not connection.watched:
            os.set_blocking(connection.fd, False)  # sendfile(2) has no flag for it
        while offset < end:
            if connection.output is not None:
                self._drain(0)
            try:
                sent = os.sendfile(connection.fd, fd, offset, min(end - offset, SENDFILE_BYTES))
            except BlockingIOError:
                if not self._await_client():
                    raise self._stalled() from None
                continue
            except OSError as error:
                if error.errno in _OF_THE_FILE:
                    raise
                raise self.lost(error) from None
            if not sent:
                break  # the file has become shorter
            offset += sent
            self.sent_bytes += sent
        return count - (end - offset)

    @property
    def body_bytes(self) -> int:
        """How much of the body was given to the socket."""
        return max(0, self.sent_bytes - self.framed_bytes)

    def log(self, level: str, text: str) -> None:
        """Log with what was asked, and by whom."""
        self.front.log_request(self.head, self.connection, level, text)

    def lost(self, error: Optional[OSError], reason: str = "") -> ClientGoneError:
        """Note that nobody takes the rest; returns what to raise."""
        self.gone = True
        return ClientGoneError("the client is gone: %s" % (error if error is not None else reason))

    def _buffer(self, rest: memoryview) -> None:
        connection, front = self.connection, self.front
        output = connection.output
        if output is None:
            output = Output()
            output.append(rest)
            connection.output = output
            try:
                front.watch_output(connection)
            except OSError as error:
                raise self.lost(error) from None
        else:
            with output.lock:
                output.append(rest)
                # Not only at the next event: the socket may have taken all before, and then there is none.
                try:
                    output.flush(connection.sock)
                except OSError as error:
                    raise self.lost(error) from None
        limit = front.settings.response_buffer_size_bytes
        if limit and output.size > limit:
            self._drain(limit)

    def _drain(self, limit: int) -> None:
        """Wait until no more than `limit` bytes are waiting for the client. Raises ClientGoneError."""
        connection = self.connection
        output = connection.output
        while output is not None:
            before = output.size
            try:
                with output.lock:
                    output.flush(connection.sock)
            except OSError as error:
                raise self.lost(error) from None
            if output.size <= limit:
                break
            if not self._await_client() and output.size >= before:
                raise self._stalled()
        if not limit and output is not None:
            self.front.flushed_early(connection)

    def _await_client(self) -> bool:
        """Wait until the socket takes something; False when it did not in time."""
        began_ns = time.monotonic_ns()
        taken = _writable(self.connection.fd, self.front.write_timeout_s)
        self.stalled_ns += time.monotonic_ns() - began_ns
        return taken

    def _stalled(self) -> ClientGoneError:
        reason = "it has taken nothing for %gs (response-socket-timeout): connection aborted"
        return self.lost(None, reason % self.front.write_timeout_s)


def _writable(fd: int, timeout_s: float) -> bool:
    """Wait until the socket takes something; False when it did not in time (0: no limit)."""
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(timeout_s * 1000 if timeout_s else None))
