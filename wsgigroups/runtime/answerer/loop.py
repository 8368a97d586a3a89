"""Answers 503 on the listeners of groups of which no process serves, so that clients do not wait in vain.

Nothing of a request is parsed: the same bytes are for HTTP, and for a front that speaks the uwsgi protocol, which takes
its answers as HTTP text, too. There is no body, so that they are right for HEAD as well. Of a connection it reads what
has come and throws it away, writes once, and waits for its end for a moment: a close with unread data is a reset, which
can take the answer from a client (RFC 9112 section 9.6).

One thread, in a process that has no privileges and nothing but these listeners. Bounds hold for every client together:
so many connections at a time, and so many new ones a second; who is beyond that waits in the listener's queue.
"""

from __future__ import annotations

import os
import select
import socket
import time
from typing import Dict, List

from ..protocol.responses import REFUSED
from ..wire import frames
from ..wire.rates import Bucket
from ..wire.rights import RightsError, read_without_rights

ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Retry-After: 5\r\n"
    b"Cache-Control: no-store\r\n"
    b"Content-Length: 0\r\n"
    b"Connection: close, %b\r\n\r\n"
) % REFUSED.encode("ascii")
ASK_S = 1.0  # for the first bytes of a request; it is answered then, too
LINGER_S = 1.0  # for a client to take its answer and close
MOST = 512  # connections at a time
MOST_OF_ONE = 64  # … of one listener
PER_S = 1000  # new connections a second
MOST_HELD = 64  # connections with descriptors that somebody sent
_AT_ONCE = 16
_READ_BYTES = 65536
_PAUSE_S = 0.05
_EXIT_HELD = 75


class _Client:
    """One connection, and when its present part is over (monotonic seconds)."""

    __slots__ = ("answered", "key", "sock", "until_s")

    def __init__(self, sock: socket.socket, key: str, until_s: float) -> None:
        self.sock = sock
        self.key = key
        self.until_s = until_s
        self.answered = False


class Answerer:
    """Told by frames on a channel: "answer" with a key and a listener, "rest" with a key. Ends with the channel."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._receiver = frames.Receiver()
        self._epoll = select.epoll()
        self._epoll.register(channel.fileno(), select.EPOLLIN)
        self._listeners: Dict[str, socket.socket] = {}
        self._keys: Dict[int, str] = {}  # by descriptor
        self._resting: List[str] = []  # listeners that are not watched for a moment: a bound is reached
        self._clients: Dict[int, _Client] = {}
        self._of: Dict[str, int] = {}  # how many clients a listener has
        self.held: List[int] = []  # connections with descriptors in them, whose close takes as long as somebody wants
        self._bucket = Bucket(PER_S / 10, PER_S, time.monotonic())

    def run(self) -> int:
        """Answer until the channel ends, or until too many connections are held; returns the exit code.

        Closes all but what is held: an exit closes that without waiting.
        """
        try:
            return self._serve()
        finally:
            for sock in (*self._listeners.values(), *(client.sock for client in self._clients.values())):
                sock.close()
            self._receiver.close()
            self._epoll.close()

    def _serve(self) -> int:
        while len(self.held) < MOST_HELD:
            for fd, _events in self._epoll.poll(self._timeout_s()):
                if fd == self._channel.fileno():
                    if not self._hear():
                        return 0
                elif fd in self._keys:
                    self._accept(self._keys[fd])
                elif fd in self._clients:
                    self._read(self._clients[fd])
            self._end_late()
            self._watch_again()
        return _EXIT_HELD

    def _timeout_s(self) -> float:
        if self._resting:
            return _PAUSE_S
        if not self._clients:
            return -1
        return max(0.0, min(client.until_s for client in self._clients.values()) - time.monotonic()) + 0.001

    # The manager

    def _hear(self) -> bool:
        try:
            data, fds = frames.receive_some(self._channel)
        except BlockingIOError:
            return True
        if not data:
            return False
        for body, passengers in self._receiver.feed(data, fds):
            key = str(body.get("key"))
            self._forget(key)
            if body["type"] == "answer" and len(passengers) == 1:
                self._listen(key, socket.socket(fileno=passengers[0]))
        return True

    def _listen(self, key: str, sock: socket.socket) -> None:
        os.set_blocking(
            sock.fileno(), False
        )  # of the open file that all share, as daemons do: whoever is first takes it
        self._listeners[key] = sock
        self._keys[sock.fileno()] = key
        self._of.setdefault(key, 0)
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _forget(self, key: str) -> None:
        sock = self._listeners.pop(key, None)
        if sock is None:
            return
        del self._keys[sock.fileno()]
        if key in self._resting:
            self._resting.remove(key)
        else:
            self._epoll.unregister(sock.fileno())
        sock.close()

    def _rest(self, key: str) -> None:
        self._epoll.unregister(self._listeners[key].fileno())
        self._resting.append(key)

    def _watch_again(self) -> None:
        for key in list(self._resting):
            if self._has_room(key):
                self._resting.remove(key)
                self._epoll.register(self._listeners[key].fileno(), select.EPOLLIN)

    def _has_room(self, key: str) -> bool:
        return len(self._clients) < MOST and self._of[key] < MOST_OF_ONE

    # Clients

    def _accept(self, key: str) -> None:
        listener = self._listeners[key]
        for _ in range(_AT_ONCE):
            if not self._has_room(key) or not self._bucket.take(1, time.monotonic()):
                self._rest(key)
                return
            try:
                sock, _address = listener.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError:
                self._rest_or_forget(key)
                return
            sock.setblocking(False)
            client = _Client(sock, key, time.monotonic() + ASK_S)
            self._clients[sock.fileno()] = client
            self._of[key] += 1
            self._epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLRDHUP)

    def _rest_or_forget(self, key: str) -> None:
        """Let go of a socket that does not listen any more; any other error may be over in a moment."""
        if self._listeners[key].getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self._rest(key)
        else:
            self._forget(key)

    def _read(self, client: _Client) -> None:
        try:
            data = read_without_rights(client.sock, _READ_BYTES)
        except BlockingIOError:
            return
        except RightsError:
            self.held.append(self._let_go(client).detach())
            return
        except OSError:
            self._let_go(client).close()
            return
        if not data:
            self._let_go(client).close()
        elif not client.answered:
            self._answer(client)

    def _answer(self, client: _Client) -> None:
        client.answered = True
        client.until_s = time.monotonic() + LINGER_S
        try:
            client.sock.send(ANSWER)  # an empty buffer takes all of it
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._let_go(client).close()

    def _end_late(self) -> None:
        now_s = time.monotonic()
        for client in [client for client in self._clients.values() if client.until_s <= now_s]:
            if client.answered:
                self._let_go(client).close()
            else:
                self._answer(client)

    def _let_go(self, client: _Client) -> socket.socket:
        del self._clients[client.sock.fileno()]
        self._of[client.key] -= 1
        self._epoll.unregister(client.sock.fileno())
        return client.sock
