"""A server whose poller the test drives as the leader would; none of its threads runs."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from support.serving import Clock

from wsgigroups.runtime.calls.request_threads import RequestThread
from wsgigroups.runtime.calls.work import Work
from wsgigroups.runtime.front.connection import Connection
from wsgigroups.runtime.records.tally import Tally
from wsgigroups.runtime.server import Server
from wsgigroups.runtime.wire.board import WORD, private
from wsgigroups.runtime.wire.pulse import Pulse
from wsgigroups.runtime.wire.spec import Serving


class Driven:
    """A server whose poller the test drives."""

    def __init__(
        self,
        application: Any = None,
        clock: Clock | None = None,
        access: Any = None,
        pulses: Sequence[Pulse] = (),
        **settings: Any,
    ) -> None:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.logged: list[tuple[str, str]] = []
        self.board = private(4)
        self.tally = Tally()
        more: dict[str, Any] = {} if clock is None else {"clock": clock}
        self.server = Server(
            settings=Serving(threads=4).tuned(settings),
            listeners=[self.listener],
            pulses=pulses,
            identity="test/1" if pulses else "",
            application=application or self.echo,
            board=self.board,
            log=lambda level, text: self.logged.append((level, text)),
            access_log=access,
            **more,
        )
        self.poller, self.caller, self.crew = self.server.poller, self.server.caller, self.server.crew
        self.work = Work(self.crew)
        self.server.listening.adjust(False)

    @staticmethod
    def echo(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode() * int(environ["QUERY_STRING"] or 1)]

    @property
    def connections(self) -> list[Connection]:
        """The server's sides of all that are open."""
        return list(self.poller.connections.open.values())

    @property
    def posted(self) -> list[Connection]:
        """Those whose answers are in the outbox."""
        return self.poller.outbox.posted

    def connect(self) -> socket.socket:
        """Return the client's side of a new connection."""
        sock = socket.create_connection(self.listener.getsockname(), timeout=20)
        before = len(self.connections)
        while len(self.connections) == before:
            self.poller.wait()
        while self.poller.ready:
            self.poller.step()  # nothing is there yet: from here on epoll tells
        return sock

    def round(self, requests: int, brief: bool = True) -> None:
        """Answer what has come, as the inline leader does, until so many requests were answered."""
        while requests:
            if not self.poller.ready:
                self.poller.wait()
            while self.poller.ready:
                connection = self.poller.step()
                if connection is not None:
                    self.caller.answer(connection, self.crew.clock(), self.tally, brief)
                    if connection.answer:
                        self.poller.outbox.post(connection)
                    connection.owned = False
                    if connection.data:
                        self.poller.ready.append((connection, 0))
                    requests -= 1

    def lead(self) -> None:
        """Lead as a request thread does, until `crew.closing` is set."""
        self.crew.leader = me = RequestThread(0)
        self.work.lead(me)

    def send(self) -> None:
        """Send what is in the outbox."""
        self.poller.outbox.send()

    def publish(self) -> None:
        """Add to the board what has been answered, as the leader does after a round."""
        self.tally.publish(self.board.words)

    def word(self, name: str) -> int:
        """Return a word of the board."""
        return int(self.board.words[WORD[name]])

    def close(self) -> None:
        """End it, and all connections."""
        self.poller.shut()
        self.listener.close()
        self.board.close()
