"""Calls the application for one request and sees the answer through (PEP 3333).

Runs in a request thread that owns the connection. Whatever the application does, raising SystemExit included, ends
here: with a whole answer, with a 500 while nothing has been sent, or with a connection that is visibly broken.
"""

from __future__ import annotations

import io
import traceback
from typing import Any, Callable, Dict, Iterable, Optional

from ..front.answering import Front
from ..front.connection import Connection
from ..protocol import forwarding, responses
from ..protocol.heads import Head
from ..records.access import AccessLog
from ..records.tally import Tally
from .bodies import ArrivingBody
from .errors_stream import ErrorsStream
from .exchange import ClientGoneError, Exchange, begin
from .files import FileWrapper
from .interrupted import RequestTimeout

Application = Callable[[Dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_UNSENT = -1
_POSTED_BYTES = 16384  # a longer answer gains nothing by leaving together with others


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

    def answer(self, connection: Connection, start_ns: int, tally: Tally, brief: bool = False) -> int:
        """Run one request to its end; returns the monotonic time of it.

        brief: calls are short and nothing contends. The answer may be left in `connection.answer` then, to be given to
        the outbox, or to `send_late` if somebody else leads. Raises nothing that an application could cause.
        """
        head: Head = connection.head  # type: ignore[assignment]  # or nobody would have called us
        access = self.access
        body = None if head.ready_for is access else self._make_ready(connection, head, tally, access)
        exchange = begin(self.front, connection, head, body)
        result: Any = None
        data = b""  # the answer, if it is to leave with others
        whole = True
        try:
            application = self.application
            result = application(head.environ, exchange.start_response)
            data = exchange.ordinary(result[0]) if type(result) is list and len(result) == 1 else b""
            if not (brief and data and len(data) <= _POSTED_BYTES):
                ordinary, data = data, b""
                whole = self._send(exchange, result, ordinary, brief)
        except BaseException as error:  # noqa: BLE001 — the thread serves on, whatever an application raises
            whole = self._failed(exchange, error)
        if not data:
            return self._conclude(exchange, result, whole, start_ns, tally, access)
        # As `_conclude`, for what most answers are, without what these have not: a call of it would show.
        connection.answer = data
        exchange.ended = True
        if self._errors.unfinished:
            self._errors.flush()
        clock = self._clock
        end_ns = clock()
        prepared = exchange.prepared
        run = tally.run
        if run.made_of is not prepared.last or run.noted is not head.noted:
            run = access.run(head.noted, prepared, len(data))
            tally.begin(run)
        run.take(end_ns - start_ns)
        return end_ns

    def _make_ready(
        self, connection: Connection, head: Head, tally: Tally, access: AccessLog
    ) -> Optional[ArrivingBody]:
        """Do what is to be done before the call; returns the input, if it has yet to arrive."""
        if connection.incomplete:
            self._complete_environ(connection, head.environ)
        if access.on:
            access.note(head)
        else:
            head.noted = None
        if head.length or head.chunked:
            return self._open_body(connection, head, tally)
        if not connection.incomplete:
            head.ready_for = access
        return None

    def _conclude(
        self, exchange: Exchange, result: Any, whole: bool, start_ns: int, tally: Tally, access: AccessLog
    ) -> int:
        """Let go of what the application has returned, count, and give the connection its next state."""
        if type(result) is not list and result is not None:
            self._close(exchange, result)
        exchange.ended = True
        if self._errors.unfinished:
            self._errors.flush()
        end_ns = self._clock()
        code = exchange.prepared.code
        tally.statuses[exchange.prepared.hundreds] += 1
        if exchange.body is not None:
            tally.received_bytes += exchange.body.received_bytes
        tally.sent_bytes += exchange.sent_bytes
        tally.application_ns += end_ns - start_ns
        if not whole:
            tally.aborted += 1
        if access.on:
            access.answered(exchange.head.noted, code, exchange.sent_bytes, end_ns - start_ns, end_ns)
        if not exchange.connection.answer:
            self._leave(exchange.connection, exchange, whole, end_ns)
        return end_ns

    def _complete_environ(self, connection: Connection, environ: Dict[str, Any]) -> None:
        """What a trusted gateway says of the client, and the name of a server on a UNIX socket."""
        if connection.trusted and not connection.is_uwsgi:
            forwarding.apply(environ, self.front.trust)
        if connection.unix:
            _name_server(environ)

    def _fell_short(self, exchange: Exchange) -> bool:
        """Log why the answer is not whole; False."""
        if exchange.gone:  # the application has kept the exception to itself
            exchange.log("info", "the client is gone")
        else:
            text = "the body is %d bytes shorter than its Content-Length: the connection was closed"
            exchange.log("error", text % exchange.left)
        return False

    def _open_body(self, connection: Connection, head: Head, tally: Tally) -> Optional[ArrivingBody]:
        """Give the request its input; returned if it has yet to arrive."""
        if connection.decoder is None and (head.chunked or len(connection.body) == head.length):
            tally.received_bytes += len(connection.body)
            if connection.body:
                head.environ["wsgi.input"] = io.BytesIO(connection.body)
                connection.body = b""
            return None
        body = ArrivingBody(connection, self.front.settings.socket_timeout_s, head.expects, self._clock)
        head.environ["wsgi.input"] = body
        return body

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
            tally.aborted += 1
            whole = False
        self._leave(connection, exchange, whole, self._clock())

    def _send(self, exchange: Exchange, result: Any, data: bytes, brief: bool) -> bool:
        """Send what the application has returned; whether that was all of it. data: the same, if it is ordinary.

        Raises anything.
        """
        if data:
            exchange.framing = responses.WITH_LENGTH
            exchange.send(data)
            whole = True
        elif type(result) is list and len(result) == 1 and exchange.framing == _UNSENT and exchange.body is None:
            start, block = exchange.whole(result[0])
            whole = exchange.left <= 0
            if brief and whole and exchange.keep and len(block) <= _POSTED_BYTES:
                exchange.connection.answer = start + block
                exchange.sent_bytes = len(start) + len(block)
            else:
                exchange.send_one(start, block, brief and whole)
        else:
            whole = self._send_any(exchange, result)
        if exchange.gone or not whole:
            whole = self._fell_short(exchange)
        return whole

    def _send_any(self, exchange: Exchange, result: Any) -> bool:
        """Send whatever the application has returned. Raises anything."""
        if (
            type(result) is FileWrapper
            and exchange.framing == _UNSENT
            and exchange.prepared is not responses.UNPREPARED
        ):
            region = result.region()
            if region is not None:
                self._complete_body(exchange)
                exchange.send_file(*region)
                return exchange.left <= 0
        if exchange.framing == _UNSENT and type(result) in (list, tuple) and len(result) <= 1:
            if result:
                self._complete_body(exchange)
                exchange.send_with_head(*exchange.whole(result[0]))
                return exchange.left <= 0
        else:
            if isinstance(result, (bytes, str)):
                raise TypeError(
                    "the application returned %s: it must return an iterable of bytes" % type(result).__name__
                )
            for block in result:
                if type(block) is not bytes:
                    raise TypeError("the iterable must yield bytes, not %s" % type(block).__name__)
                if block:
                    self._complete_body(exchange)
                    exchange.send_block(block)
        self._complete_body(exchange)
        return exchange.finish()

    @staticmethod
    def _complete_body(exchange: Exchange) -> None:
        """Raise if the application has gone on after its input broke: its answer rests on half a request."""
        if exchange.body is not None and exchange.body.error is not None:
            raise exchange.body.error

    def _failed(self, exchange: Exchange, error: BaseException) -> bool:
        """Answer for the application, if that is possible still; True when the client gets a whole answer."""
        exchange.keep = exchange.keep and exchange.body is None
        if exchange.gone or isinstance(error, ClientGoneError):
            exchange.gone = True
            exchange.log("info", str(error) if isinstance(error, ClientGoneError) else "the client is gone")
            return False
        status = 500
        if isinstance(error, RequestTimeout):
            status = 504
            exchange.log("warning", "the request was interrupted: it ran for longer than request-timeout")
        elif exchange.body is not None and exchange.body.error is not None:
            status = exchange.body.error.status
            exchange.log("info", "the request's body broke off: %s" % exchange.body.error.reason)
        else:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            exchange.log("error", "the application failed\n" + text)
        if exchange.framing != _UNSENT or not status:
            return False
        exchange.keep = exchange.keep and exchange.head.keep_alive and self.front.keeps and status in (500, 504)
        exchange.prepared = responses.Prepared(status, b"")
        try:
            exchange.send(
                responses.refusal(
                    status,
                    self.front.dates.lines[0],
                    exchange.keep and exchange.head.is_http_1_1,
                    exchange.head.method == "HEAD",
                )
            )
        except ClientGoneError:
            return False
        exchange.keep = exchange.keep and exchange.head.is_http_1_1
        return True

    def _close(self, exchange: Exchange, result: Any) -> None:
        """Call close() of the iterable, which PEP 3333 promises in every case."""
        try:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        except BaseException as error:  # noqa: BLE001 — as in `answer`
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            exchange.log("error", "close() of the answer's iterable failed\n" + text)

    def _leave(self, connection: Connection, exchange: Exchange, whole: bool, end_ns: int) -> None:
        """Give the connection its next state; it is still this thread's."""
        front = self.front
        if not whole:
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


def _name_server(environ: Dict[str, Any]) -> None:
    """A UNIX socket has no name and port: take those that the client asked for."""
    host = environ.get("HTTP_HOST", "")
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdecimal():
        name, port = host.rstrip(":"), "443" if environ.get("wsgi.url_scheme") == "https" else "80"
    if name and environ["SERVER_NAME"] == "localhost":
        environ["SERVER_NAME"] = name
        environ["SERVER_PORT"] = port
