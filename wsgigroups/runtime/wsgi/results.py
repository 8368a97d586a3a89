"""What the application has returned, on its way to the client (PEP 3333, "Buffering and Streaming")."""

from __future__ import annotations

from typing import Any, Callable

from ..front.timing import SECOND_NS
from ..originals import select
from ..protocol import request_ids, responses
from .exchange import UNSENT, YIELDED, Exchange, plain
from .files import FileWrapper

_POSTED_BYTES = 16384  # a longer answer gains nothing by leaving together with others
_LOOK_NS = SECOND_NS // 20  # how often a client that is sent nothing is looked at
_HALF_CLOSED_NS = 5 * SECOND_NS  # a client that sends no more may read on, but not for ever where nothing comes
_CLOSE = b"Connection: close\r\n\r\n"
_LEFT = select.POLLHUP | select.POLLERR | select.POLLNVAL


def send(exchange: Exchange, result: Any, brief: bool, clock: Callable[[], int]) -> bool:
    """Send what the application has returned; whether that was all of it. Raises anything.

    brief: as for `Caller.answer`; the answer is left in `connection.answer` then, if it is short and whole and the
    connection is kept.
    """
    if type(result) not in (list, tuple) or len(result) != 1 or exchange.framing != UNSENT:
        return _send_any(exchange, result, clock)
    block, prepared, front = result[0], exchange.prepared, exchange.front
    if (
        type(block) is bytes
        and prepared.length == len(block)
        and not prepared.own
        and prepared.code not in responses.BODILESS
        and exchange.body is None
        and ((exchange.head.ordinary and front.keeps and not front.surplus) or _is_to_our_gateway(exchange))
    ):  # as most answers are; the other way comes to the same for these
        end = b"\r\n" if exchange.keep else _CLOSE
        told = request_ids.line_of(exchange.head) if front.tells_ids else b""
        data = b"".join([*prepared.lines, told, front.dates.lines[0], end, block])
        exchange.framing = responses.WITH_LENGTH
        exchange.framed_bytes = len(data) - len(block)
        if brief and len(data) <= _POSTED_BYTES and (exchange.keep or exchange.closes):
            exchange.connection.answer = data
            exchange.sent_bytes = len(data)
        else:
            exchange.send(data)
        return True
    complete_body(exchange)
    start, block = exchange.whole(block)
    whole = exchange.left <= 0
    if brief and whole and exchange.keep and len(start) + len(block) <= _POSTED_BYTES:
        exchange.connection.answer = start + block
        exchange.sent_bytes = len(start) + len(block)
    else:
        exchange.send_one(start, block, brief and whole)
    return whole


def _is_to_our_gateway(exchange: Exchange) -> bool:
    return exchange.connection.is_to_our_gateway(exchange.head) and exchange.head.method != "HEAD"


def _send_any(exchange: Exchange, result: Any, clock: Callable[[], int]) -> bool:
    if type(result) is FileWrapper and exchange.framing == UNSENT and exchange.prepared is not responses.UNPREPARED:
        region = result.region()
        if region is not None:
            complete_body(exchange)
            exchange.send_file(*region)
            return exchange.left <= 0
    if isinstance(result, (bytes, str)):
        raise TypeError("the application returned %s: it must return an iterable of bytes" % type(result).__name__)
    silence = None
    for each in result:
        block = each if type(each) is bytes else plain(each, YIELDED)
        if block:
            silence = None
            complete_body(exchange)
            exchange.send_block(block)
        elif silence is None:
            silence = Silence(exchange.connection.fd, clock)
        elif silence.deserted():
            raise exchange.lost(None, "it left while the application yielded nothing")
    complete_body(exchange)
    return exchange.finish()


def complete_body(exchange: Exchange) -> None:
    """Raise if the application has gone on after its input broke: its answer rests on half a request."""
    if exchange.body is not None and exchange.body.error is not None:
        raise exchange.body.error


class Silence:
    """The time in which an application yields empty blocks: none is sent, so no send tells that the client has left."""

    __slots__ = ("_clock", "_fd", "_look_ns", "_since_ns")

    def __init__(self, fd: int, clock: Callable[[], int]) -> None:
        """fd: of the client's socket; clock: monotonic nanoseconds."""
        self._fd = fd
        self._clock = clock
        self._since_ns = clock()
        self._look_ns = self._since_ns + _LOOK_NS

    def deserted(self) -> bool:
        """Tell whether the client has left: its side is shut, and it has been for a while if only that is known."""
        now_ns = self._clock()
        if now_ns < self._look_ns:
            return False
        self._look_ns = now_ns + _LOOK_NS
        poller = select.poll()
        poller.register(self._fd, select.POLLRDHUP)
        flags = sum(flags for _fd, flags in poller.poll(0))
        return bool(flags & _LEFT) or (bool(flags) and now_ns - self._since_ns >= _HALF_CLOSED_NS)
