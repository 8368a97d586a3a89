"""One request on its way to a daemon: its body as it comes, a connection to the group's socket, a packet of variables.

The loop's; nothing here waits. Each request has a connection of its own. One that a daemon may have read is
never sent again.
"""

from __future__ import annotations

import contextlib
import errno
import struct
from typing import TYPE_CHECKING, List, Optional, cast

from ..front.output import DONT_WAIT, Output
from ..front.timing import SECOND_NS
from ..originals import select, socket
from ..protocol.errors import ProtocolError
from ..wire.board import WORD
from ..wire.rights import is_free_of_rights, take_rights
from ..wire.routes import Link
from . import forwarding, packets
from .reply import Reply
from .upload import Upload

if TYPE_CHECKING:
    from .client import ClientConnection
    from .loop import Loop
    from .request import Request

COLLECTED_BYTES = 1048576  # a body up to this size is taken in before a daemon hears of it, if there is room
AHEAD_BYTES = 65536  # of a body, that a daemon has yet to take
READS = 16  # of a client or a daemon in a row: others wait meanwhile
_BRISK_NS, _SLOW_NS = SECOND_NS // 8, SECOND_NS  # between two attempts to connect
_BRISKLY_NS = 2 * SECOND_NS  # for so long
_LATER = frozenset(  # connect(2): somebody may come yet; socket(2): others may end
    (
        *(errno.EAGAIN, errno.ECONNREFUSED, errno.ENOENT, errno.EINTR),
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
    )
)
_NOBODY = frozenset((errno.ECONNREFUSED, errno.ENOENT))  # connect(2): no socket, or none that listens
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)
_CREDENTIALS_BYTES = _CREDENTIALS.size
_FAMILY, _TYPE = int(socket.AF_UNIX), int(socket.SOCK_STREAM | socket.SOCK_NONBLOCK)  # enumerations cost more
_SOCKET, _PEER = int(socket.SOL_SOCKET), int(socket.SO_PEERCRED)
_WATCH = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_END_OF_CHUNKS = b"0\r\n\r\n"

# What it is at, and what it waits for.
COLLECTING, CONNECTING, ASKING, ANSWERING = range(4)
FOR_NOTHING, FOR_BODY, FOR_DAEMON, FOR_CLIENT, FOR_EITHER = range(5)


class LinkRequest(Reply):
    """The half that asks: `start` it. Whoever derives from it reads what is answered."""

    __slots__ = (
        "_asked_ns",
        "_body",
        "_body_since_ns",
        "_chunked",
        "_collected_bytes",
        "_dropping",
        "_outgoing",
        "_peeks",
        "_readable",
        "_retried",
        "_sock",
        "_stage",
        "_tried_ns",
        "_waits",
        "link",
    )

    def __init__(
        self, loop: "Loop", client: "ClientConnection", request: "Request", link: Link, upload: Optional[Upload]
    ) -> None:
        super().__init__(loop, client, request, upload)
        self.link = link
        self._stage = CONNECTING
        self._waits = FOR_NOTHING
        self._body: List[bytes] = [client.body] if client.body else []
        self._collected_bytes = len(client.body)
        self._body_since_ns = loop.now_ns
        self._chunked = False  # the body goes on in chunks, because nobody knows its length
        self._dropping = False  # nobody wants the rest of the body
        self._sock: Optional[socket.socket] = None
        self._peeks = False  # before Linux 6.16: what comes is looked at before it is read
        self._outgoing = Output()  # what the daemon has yet to take
        self._tried_ns = 0  # when a connection was first wanted
        self._retried = False
        self._asked_ns = 0  # when a daemon's socket had taken it
        self._readable = False  # the daemon's socket may have something

    # For whoever derives from it

    def fail(self, status: int, reason: str, level: str = "warning") -> None:
        """Answer in the gateway's own name, or cut what has begun."""
        raise NotImplementedError

    def _read(self) -> bool:
        """Read what the daemon has sent, as far as the client takes it; whether the request goes on."""
        raise NotImplementedError

    def _arm(self) -> None:
        """Decide what is waited for, and for how long."""
        raise NotImplementedError

    # In

    def start(self) -> None:
        """Take in the body, if it is short, and then connect."""
        upload, head = self.upload, self.request.head
        self.loop.connections.watch(self.client)
        if upload is None or (not head.chunked and head.length > self.loop.collected_bytes and not head.expects):
            self.connect()
            return
        self._stage = COLLECTING
        if head.chunked and self._collected_bytes > self.loop.collected_bytes:
            self._stream()
            return
        if head.expects:
            try:
                self.send(_CONTINUE)
            except OSError as error:
                self.lost(str(error))
                return
            if head.length > self.loop.collected_bytes:
                self._stream()
                return
        self.client.more = True
        self._receive()

    def _stream(self) -> None:
        """Send on the body as it comes."""
        self._chunked = self.request.head.chunked
        self.connect()

    def _receive(self) -> None:
        """Take what the client has sent of the body, as far as somebody wants it."""
        upload, client = self.upload, self.client
        assert upload is not None
        for _ in range(READS):
            if upload.ended or not (client.more or client.data) or not self._wants_body():
                break
            try:
                block = upload.read()
            except BlockingIOError:
                client.more = False
                break
            except ProtocolError as error:
                self.fail(error.status, error.reason, "info")
                return
            except OSError as error:
                self.lost(str(error))
                return
            if not self._take_body(block, upload.ended):
                return
        else:
            self.loop.again(self, select.EPOLLIN)
        if not upload.ended:
            self._arm()

    def _wants_body(self) -> bool:
        if self._stage == COLLECTING or self._dropping:
            return True
        return self._stage >= ASKING and self._outgoing.size <= AHEAD_BYTES

    def _take_body(self, block: bytes, is_last: bool) -> bool:
        """Do what is to be done with a part of the body; whether to go on."""
        limit, upload = self.loop.settings.limit_request_body, self.upload
        assert upload is not None
        if 0 < limit < self._collected_bytes + len(block):
            self.fail(413, "the body is longer than %d bytes (limit-request-body)" % limit, "info")
            return False
        self._collected_bytes += len(block)
        if self._dropping:
            return True
        if self._stage != COLLECTING:
            return self._forward(block, is_last)
        if block:
            self._body.append(block)
        if is_last:
            self.connect()
            return False
        if self._collected_bytes > self.loop.collected_bytes:
            self._stream()
            return not self.ended
        return True

    def _forward(self, block: bytes, is_last: bool) -> bool:
        """Send a part of the body on to the daemon; whether that went well."""
        if self._chunked:
            if block:
                block = b"%x\r\n%b\r\n" % (len(block), block)
            if is_last:
                block += _END_OF_CHUNKS
        if block:
            self._outgoing.append(memoryview(block))
            return self._push()
        return True

    # To the daemon

    def connect(self) -> None:
        """Connect to the group's socket, now or as soon as there is room (connect-timeout)."""
        self._stage = CONNECTING
        link = self.link
        try:
            sock = cast(socket.socket, socket.SocketType(_FAMILY, _TYPE))  # cheaper than what socket.py makes of it
        except OSError as error:
            self._connect_later(error)
            return
        # before it has a peer: a daemon that sends descriptors decides how long their close takes
        self._peeks = not take_rights(sock, take=False)
        try:
            sock.connect(link.socket)
            user = _CREDENTIALS.unpack(sock.getsockopt(_SOCKET, _PEER, _CREDENTIALS_BYTES))[1]
        except OSError as error:
            sock.close()
            self._connect_later(error)
            return
        if link.uids and user not in link.uids:
            sock.close()
            self.fail(503, "user %d listens at %s: nothing was sent" % (user, link.socket), "error")
            return
        self._sock = sock
        self._ask(sock)

    def _connect_later(self, error: OSError) -> None:
        link, now_ns = self.link, self.loop.now_ns
        self._tried_ns = self._tried_ns or now_ns
        waited_ns = now_ns - self._tried_ns
        limit_ns = int(link.connect_timeout_s * SECOND_NS)
        if error.errno in _NOBODY and self.request.is_for_one_of(self.loop.table.routes.stopped):
            self.fail(503, "the group is stopped", "info")
        elif error.errno not in _LATER:
            self.fail(503, "cannot connect to %s: %s" % (link.socket, error.strerror or error), "error")
        elif 0 < limit_ns <= waited_ns:
            self.loop.words[WORD["refused"]] += 1
            text = "connect-timeout: nobody has taken it at %s within %gs: %s"
            self.fail(503, text % (link.socket, link.connect_timeout_s, error.strerror))
        else:
            pause_ns = _BRISK_NS if waited_ns < _BRISKLY_NS else _SLOW_NS
            if limit_ns:
                pause_ns = min(pause_ns, limit_ns - waited_ns)
            self._wait(FOR_NOTHING, pause_ns)

    def _ask(self, sock: socket.socket) -> None:
        """Send the packet, and what there is of the body."""
        loop = self.loop
        try:
            data = self._packet()
        except packets.PacketError as error:
            self.fail(431, str(error), "info")
            return
        blocks = self._body
        if self._chunked and blocks:
            body = b"".join(blocks)
            blocks = [b"%x\r\n" % len(body), body, b"\r\n"]
        if self._chunked and (self.upload is None or self.upload.ended):
            blocks = [*blocks, _END_OF_CHUNKS]
        if blocks:
            data = b"".join((data, *blocks))
        try:
            sent = sock.send(data, DONT_WAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:  # no byte of it was taken
            if self._retried:
                self.fail(502, "the daemon has closed the connection: %s" % error.strerror)
            else:
                self._ask_again()
            return
        self._stage = ASKING
        self._asked_ns = loop.now_ns
        loop.poller.guests[sock.fileno()] = self
        events = _WATCH
        if sent < len(data):
            self._outgoing.append(memoryview(data)[sent:])
            events |= select.EPOLLOUT
        self._body = []
        self.client.body = b""
        loop.connections.epoll.register(sock.fileno(), events)
        if self.upload is not None and not self.upload.ended:
            self.client.more = True
            self._receive()
        else:
            self._arm()

    def follow(self, fd: int, asked_ns: int) -> None:
        """Take over a link whose daemon has the whole packet; epoll watches it."""
        self._sock = cast(socket.socket, socket.SocketType(_FAMILY, _TYPE, 0, fd))
        self._stage = ASKING
        self._asked_ns = asked_ns
        self.loop.poller.guests[fd] = self
        self._arm()

    def _ask_again(self) -> None:
        """Send it once more, since nobody has read it."""
        self._hang_up()
        self._retried = True
        self._readable = self._dropping = False
        self._outgoing.blocks.clear()
        self._outgoing.size = 0
        self.connect()

    def _packet(self) -> bytes:
        """Return the variables as a packet. Raises PacketError."""
        request = self.request
        head = request.head
        length = sum(map(len, self._body)) if head.chunked and not self._chunked else None
        return forwarding.packet_of(
            head.environ, request.connection, request.facts, request.match, length, self._chunked
        )

    def _push(self) -> bool:
        """Send the daemon what it takes now; False if the request has ended by that."""
        outgoing, sock = self._outgoing, self._sock
        if sock is None or not outgoing.size:
            return True
        try:
            outgoing.flush(sock)
        except OSError:
            # It has closed its side: its answer, if it has sent one, is there to be read (an early one).
            outgoing.blocks.clear()
            outgoing.size = 0
            self._dropping = True
            self._readable = True
            return self._read()
        if outgoing.size:
            self.loop.connections.epoll.modify(sock.fileno(), _WATCH | select.EPOLLOUT)
        elif self._dropping:  # it is not to wait for what will not come
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        return True

    # Both

    def _is_over(self) -> bool:
        return self.ended or self._sock is None

    def _hang_up(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            self.loop.poller.guests.pop(sock.fileno(), None)
            if self._peeks and not is_free_of_rights(sock):
                self.loop.connections.epoll.unregister(sock.fileno())
                sock.detach()  # left open: nobody here can wait for its close, as the end of this process does not
                return
            sock.close()

    def _wait(self, what: int, time_ns: int) -> None:
        self._waits = what
        if time_ns:
            self.loop.deadlines.set(self, self.loop.now_ns + time_ns)  # type: ignore[arg-type]  # it has what they need
        else:
            self.deadline_ns = 0
