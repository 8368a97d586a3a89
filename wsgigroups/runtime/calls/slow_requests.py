"""Requests that take longer than slow-request: told at the moment when they cross that line, and again when they end.

The monitor looks at the busy words, so a request costs nothing for it but one comparison at its end. At the crossing
there is the stack of its thread, which nobody can make up for later; at the end there is what took how long. A request
that was over before the monitor could look, since it held the interpreter, is told at its end alone.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Callable, Sequence

from .. import tracebacks
from ..front.answering import Front
from ..front.timing import SECOND_NS
from ..wire.board import WORD
from ..wire.rates import Quota
from ..wsgi.exchange import Exchange

if TYPE_CHECKING:
    from ..protocol.heads import Head
    from .request_threads import RequestThread, RequestThreads

STACKS_PER_S = 5  # enough to see a pattern; a stack costs half a millisecond, and the monitor has other things to do
NEVER_NS = sys.maxsize
_COUNT = WORD["slow_requests"]


class SlowRequests:
    """Of one crew. `look` and `due_ns` are for the monitor, `ended` for request threads."""

    def __init__(self, threads: "RequestThreads", front: Front, words: memoryview, clock: Callable[[], int]) -> None:
        self._threads = threads
        self._front = front
        self._words = words
        self._clock = clock
        self._quota = Quota(STACKS_PER_S)
        self.limit_ns = NEVER_NS

    def tune(self, limit_s: float) -> None:
        """Take over another limit in seconds, for requests that are under way, too; 0: none is slow."""
        self.limit_ns = int(limit_s * SECOND_NS) or NEVER_NS

    def due_ns(self, now_ns: int) -> int:
        """Return when to look again at the latest; 0: never. What begins meanwhile is slow no earlier."""
        limit_ns = self.limit_ns
        if limit_ns == NEVER_NS:
            return 0
        due_ns = now_ns + limit_ns
        for thread in self._all():
            since_ns = self._words[thread.busy_word]
            if since_ns and now_ns < since_ns + limit_ns < due_ns:
                due_ns = since_ns + limit_ns
        return due_ns

    def look(self, now_ns: int) -> None:
        """Tell of the requests that have crossed the line since the last time."""
        if self.limit_ns == NEVER_NS:
            return
        for thread in self._all():
            since_ns = self._words[thread.busy_word]
            if since_ns and now_ns - since_ns >= self.limit_ns:
                head = thread.head
                if head is not None and not head.slow:
                    self._cross(thread, head, since_ns, now_ns)

    def _all(self) -> Sequence["RequestThread"]:
        return list(self._threads.all)

    def _cross(self, thread: "RequestThread", head: "Head", since_ns: int, now_ns: int) -> None:
        connection = thread.connection
        if connection is None or not self._count(head):
            return
        passes, left_out = self._quota.ask(now_ns / SECOND_NS)
        if not passes:
            return
        began_ns, queued_ns = connection.queued
        phases = "slow-request: %s after %.3f s" % (_name(head), (now_ns - since_ns) / SECOND_NS)
        if began_ns >= since_ns:
            phases += ", and %.3f s in the queue" % (queued_ns / SECOND_NS)
        if left_out:
            phases += " (%d others were left out: more than %d came in a second)" % (left_out, STACKS_PER_S)
        server_thread = thread.thread
        frame = None if server_thread is None else sys._current_frames().get(server_thread.ident)
        if frame is not None:
            phases += "\n" + tracebacks.of_stack(frame)
        self._front.log_request(head, connection, "warning", phases)

    def _count(self, head: "Head") -> bool:
        """Take it for slow; False if it was."""
        with self._front.lock:
            if head.slow:
                return False
            head.slow = True
            self._words[_COUNT] += 1
        return True

    def ended(self, exchange: Exchange, start_ns: int, end_ns: int) -> None:
        """Tell what took how long, of a request that was slow. start_ns: when the application was called."""
        connection, head = exchange.connection, exchange.head
        self._count(head)
        began_ns, queued_ns = connection.queued
        took_ns, stalled_ns = end_ns - start_ns, exchange.stalled_ns
        text = (
            "slow-request: %s ended with %d after %.3f s: %.3f s in the application, %.3f s until its client took it"
            % (
                _name(head),
                exchange.prepared.code,
                took_ns / SECOND_NS,
                max(0, took_ns - stalled_ns) / SECOND_NS,
                stalled_ns / SECOND_NS,
            )
        )
        text += "; %.3f s in the queue before" % ((queued_ns if began_ns == start_ns else 0) / SECOND_NS)
        self._front.log_request(head, connection, "notice", text)


def _name(head: "Head") -> str:
    return "request %s" % head.name if head.name else "it"
