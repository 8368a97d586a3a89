"""Calls the application for one request and sees the answer through (PEP 3333).

Runs in a request thread that owns the connection. Whatever the application does, raising SystemExit included, ends
here: with a whole answer, with a 500 while nothing has been sent, or with a connection that is visibly broken.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Iterable

from ..front.answering import Front
from ..front.connection import Connection
from ..protocol import forwarding, request_ids, responses
from ..protocol.errors import ProtocolError
from ..protocol.heads import Head
from ..records.access import AccessLog
from ..records.tally import Tally
from ..wire.histograms import APPLICATION, QUICK_NS
from .delivery import ClientGoneError
from .errors import ErrorsStream
from .exchange import Exchange, begin
from .failures import answer_failure, close, log_shortfall
from .forked import leave
from .inputs import open_input
from .results import send

Application = Callable[[Dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Caller:
    """`answer` is called with a complete request; afterwards the connection is kept, flushing, lingering or closed."""

    def __init__(
        self,
        application: Application,
        front: Front,
        clock: Callable[[], int],
        access: AccessLog,
        errors: ErrorsStream,
    ) -> None:
        self.application = application
        self._clock = clock
        self.front = front
        self.access = access
        self._errors = errors
        self.slow_ns = sys.maxsize  # `on_slow` is told of requests that have taken so long
        self.on_slow: Callable[[Exchange, int, int], None] = lambda _exchange, _start_ns, _end_ns: None
        self.stranger = False  # this is a process that the application has forked

    def answer(self, connection: Connection, start_ns: int, tally: Tally, brief: bool = False) -> int:
        """Run one request to its end; returns the monotonic time of it.

        brief: calls are, and nothing contends. The answer may be left in `connection.answer` then, to be given to
        the outbox, or to `send_late` if somebody else leads. Raises nothing that an application could cause.
        """
        head: Head = connection.head  # type: ignore[assignment]  # or nobody would have called us
        front, access = self.front, self.access
        if connection.incomplete:
            self._complete_environ(connection, head)
        if front.ids is not None and not head.name:
            head.name = head.environ[request_ids.KEY] = next(front.ids)
        asked = access.ask(head) if access.on else None
        body = spool = None
        if head.length or head.chunked:
            try:
                body, spool = open_input(connection, head, front.settings, self._clock, tally)
            except ProtocolError as error:
                return self._refuse(connection, head, error, tally)
        exchange = begin(front, connection, head, body)
        result: Any = None
        try:
            result = self.application(head.environ, exchange.start_response)
            whole = send(exchange, result, brief, self._clock)
            if exchange.gone or not whole:
                whole = False
                log_shortfall(exchange)
        except BaseException as error:  # noqa: BLE001 — the thread serves on, whatever an application raises
            whole = self._failed(exchange, error)
        if type(result) is not list or self.stranger:
            self._close(exchange, result)
        exchange.ended = True
        if spool is not None or self._errors.unfinished:
            self._tidy(spool)
        end_ns = self._clock()
        code, sent_bytes = exchange.prepared.code, exchange.sent_bytes
        took_ns = end_ns - start_ns
        if took_ns > QUICK_NS:  # before its status: whoever publishes meanwhile would take it for a quick one
            tally.took_long(APPLICATION, took_ns)
            tally.long_applications += 1
            if took_ns >= self.slow_ns:
                self.on_slow(exchange, start_ns, end_ns)
        tally.statuses[code // 100] += 1
        tally.sent_bytes += sent_bytes
        tally.application_ns += took_ns
        if body is not None:
            tally.received_bytes += body.received_bytes
        if asked is not None:
            user = head.environ.get("REMOTE_USER")
            access.answered(asked, code, exchange.body_bytes, took_ns, end_ns, user)
        if not connection.answer:
            self._leave(connection, exchange, whole, end_ns, tally)
        return end_ns

    def _failed(self, exchange: Exchange, error: BaseException) -> bool:
        if self.stranger:
            leave(None if isinstance(error, ClientGoneError) else error)  # it has none
        return answer_failure(exchange, error)

    def _close(self, exchange: Exchange, result: Any) -> None:
        if self.stranger:
            leave(None)
        if result is not None:
            close(exchange, result)

    def _tidy(self, spool: Any) -> None:
        if spool is not None:
            spool.close()
        self._errors.flush()

    def send_late(self, connection: Connection, tally: Tally) -> None:
        """Send what was to go to the outbox, now that somebody else leads."""
        answer, head = connection.answer, connection.head
        if not answer or head is None:
            return
        connection.answer = b""
        exchange = begin(self.front, connection, head, None)
        whole = True
        try:
            exchange.send(answer)
        except ClientGoneError as error:
            exchange.log("info", str(error))
            whole = False
        self._leave(connection, exchange, whole, self._clock(), tally)

    def _complete_environ(self, connection: Connection, head: Head) -> None:
        """What a trusted gateway says of the client, and the name of a server on a UNIX socket."""
        environ = head.environ
        if connection.trusted:
            if self.front.ids is not None:
                request_ids.name(head, self.front.ids, trusted=True)
            if not connection.is_uwsgi:
                forwarding.apply(environ, self.front.trust)
        if connection.unix:
            forwarding.name_server(environ)

    def _refuse(self, connection: Connection, head: Head, error: ProtocolError, tally: Tally) -> int:
        """Its body cannot be had, or is too long: the application is not called."""
        if error.status >= 500:
            self.front.log_request(head, connection, "error", error.reason)
        if error.status:
            self.front.refuse(connection, error.status, error.reason)
        else:
            self.front.log_request(head, connection, "info", error.reason)
            tally.aborted += 1
            self.front.close(connection)
        return self._clock()

    def _leave(self, connection: Connection, exchange: Exchange, whole: bool, end_ns: int, tally: Tally) -> None:
        """Give the connection its next state; it is still this thread's."""
        front = self.front
        if not whole:
            tally.aborted += 1
            # Where only the end of the stream ends the body, nothing but a reset tells that this is not the end.
            if exchange.framing == responses.UNTIL_CLOSE:
                front.abort(connection)
            else:
                front.close(connection)
            return
        if connection.output is not None and front.left_over(connection, exchange.keep):
            return
        if exchange.keep:
            front.kept(connection, end_ns)
        elif exchange.closes:
            front.close(connection)
        else:
            front.linger(connection)
