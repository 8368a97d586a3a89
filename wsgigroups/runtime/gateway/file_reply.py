"""A file on its way to a client: by sendfile(2), a bounded part of it in each round of the loop."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Optional

from ..front.timing import SECOND_NS
from ..originals import os, select
from ..protocol.responses import NO_BODY
from .files import FileAnswer
from .pages import REASONS
from .reply import Reply
from .upload import Upload

if TYPE_CHECKING:
    from .client import ClientConnection
    from .loop import Loop
    from .request import Request

_SHORT_BYTES = 32768  # up to this size a file is read, and leaves with its head
_BLOCK_BYTES = 262144
_ROUND_BYTES = 1048576  # others wait meanwhile
_COMPLETE = (200, 206, 304)
_OF_THE_FILE = frozenset((errno.EINVAL, errno.EIO, errno.EOVERFLOW, errno.ENOMEM))  # sendfile(2), "ERRORS"


class FileReply(Reply):
    """An answer whose body is a region of a file."""

    __slots__ = ("_fd", "_offset", "_rest", "_waits")

    def __init__(
        self, loop: "Loop", client: "ClientConnection", request: "Request", found: FileAnswer, upload: Optional[Upload]
    ) -> None:
        super().__init__(loop, client, request, upload)
        self._fd = found.fd
        self._offset = found.offset
        self._rest = found.length
        self._waits = False  # for the client to take something

    def start(self, found: FileAnswer) -> None:
        """Answer with what was found."""
        if found.status not in _COMPLETE:
            self.page(found.status, found.fields)
            return
        length, fields = found.length, []
        for field in found.fields:
            if field[0] == "Content-Length":
                length = int(field[1])
            else:
                fields.append(field)
        self.loop.connections.watch(self.client)
        self.begin(found.status, REASONS.get(found.status, "OK"), [*self.loop.own_fields(), *fields], length)
        try:
            if self._fd < 0 or not self._rest or self.framing == NO_BODY:
                self.give(b"", True)
            elif self._rest <= _SHORT_BYTES:
                self._give_short()
            else:
                head, self._pending = self._pending, b""
                self.send(head)
                self._go_on()
        except OSError as error:
            self.lost(str(error))

    def _give_short(self) -> None:
        try:
            data = os.pread(self._fd, self._rest, self._offset)
        except OSError as error:
            self.cut("cannot read a file: %s" % error, "error")
            return
        if len(data) < self._rest:
            self.cut("a file has become shorter while it was sent")
            return
        self.give(data, True)

    def _go_on(self) -> None:
        """Send what the client takes now, up to what a round may take. Raises OSError when it is gone."""
        client, left = self.client, _ROUND_BYTES
        while self._rest:
            if client.output is not None and client.output.size:
                self._wait()
                return
            if left <= 0:
                self.loop.again(self)
                return
            most = min(self._rest, _BLOCK_BYTES)
            try:
                sent = self._send_region(most)
            except BlockingIOError:
                self.loop.connections.watch_output(client)
                self._wait()
                return
            except OSError as error:
                if error.errno in _OF_THE_FILE:
                    self.cut("cannot send a file: %s" % error, "error")
                    return
                raise
            if not sent:
                self.cut("a file has become shorter while it was sent")
                return
            left -= sent
        self.finish()

    def _send_region(self, most: int) -> int:
        client = self.client
        if client.tls is None:
            sent = os.sendfile(client.fd, self._fd, self._offset, most)
        else:
            data = os.pread(self._fd, min(most, 65536), self._offset)
            sent = len(data)
            if data:
                self.send(data)
        self._offset += sent
        self._rest -= sent
        self.left -= sent
        self.body_bytes += sent
        return sent

    def _wait(self) -> None:
        self._waits = True
        timeout_s = self.loop.connections.write_timeout_s
        if timeout_s:
            self.loop.deadlines.set(self, self.loop.now_ns + int(timeout_s * SECOND_NS))  # type: ignore[arg-type]

    def went_on(self, flags: int) -> None:
        """Send on, if there is room."""
        if self._waits and not flags & select.EPOLLOUT:
            return
        self._waits = False
        self.deadline_ns = 0
        try:
            self._go_on()
        except OSError as error:
            self.lost(str(error))

    def overdue(self) -> None:
        """The client has taken nothing for too long."""
        self.cut("the client has not taken its response for %gs" % self.loop.connections.write_timeout_s)

    def release(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
