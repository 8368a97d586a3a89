"""The threads of a daemon: request threads that lead in turn, and the monitor that watches the leader.

Leadership is a baton: it is with whoever drives the poller, who may pass it to another thread by waking that. A leader
that calls the application *inline* puts it down for that time: on return it takes it up and goes on polling, at the
cost of two operations on a deque, which are atomic and cheaper than a lock's, and of no hand-off at all. If the call
takes longer than a tick, the monitor has taken the baton in the meantime and given it to another thread, and the
returning one goes on as an ordinary request thread. After that the crew is *eager*: leaders hand over before they call.
See pace.Pace for when. When every request thread is in the application, the monitor leads: it receives, keeps time and
has requests wait, and never calls the application. Those come before what the next leader finds in the poll.

What threads share, and what orders it; "lock" is the one of the connections. Nothing of it needs a GIL.

- poller, outbox, listening, `ready`, siblings, connections that nobody owns: the leader's; the baton orders leaders
- a connection that is owned, its output apart, which has a lock: its thread's; `owned`, `signalled`: lock
- waiting, lanes' counts, `listening.saturated` and `reserved`, idle threads, `detached`, counters of the board,
  the next deadline: written under the lock; who reads without it has been woken after the store, or looks again soon
- `turn`, `leader`: written by the leader before the baton is down, read by the monitor after it took that
- `closing`, `monitor.leads` and `sleeps`, `connections.stopping`: flags, stored before their reader is woken
- pace, lanes' averages, `ended_calls`, `connections.surplus`: hints; a lost update moves a switch by a few requests
- settings, application, access log, dates: immutable objects, one store each; readers see the old or the new one
- a thread's tally: that thread's; added to the board under the lock
"""

from __future__ import annotations

import collections
import sys
from typing import Callable, Deque, Optional

from ..front.connection import Connection
from ..front.poller import Poller
from ..originals import time
from ..records.tally import Tally
from ..wire.board import WORD, Board
from ..wire.spec import Serving
from ..wsgi.caller import Caller
from .lanes import Lanes
from .monitor import Monitor
from .pace import Pace
from .request_threads import RequestThread, RequestThreads
from .slow_requests import SlowRequests
from .waiting import Waiting
from .work import Work

_STARTED, _ACTIVE, _LAST = WORD["started_total"], WORD["requests_active"], WORD["last_activity_ns"]
_TOTAL = WORD["requests_total"]


class Crew:
    """Starts, promotes and ends the threads; answering.Answering for the front."""

    def __init__(
        self,
        poller: Poller,
        caller: Caller,
        settings: Serving,
        board: Board,
        clock: Callable[[], int],
        log: Callable[[str, str], None],
    ) -> None:
        self.poller = poller
        self.caller = caller
        self.clock = clock
        self.words = board.words
        self.notes = board.notes
        self.lock = poller.connections.lock
        most = min(settings.threads, board.threads)
        self.lanes = Lanes(most)
        self.pace = Pace()
        self.waiting = Waiting(poller, self.lanes, board.words, clock)
        self.monitor = Monitor(self)
        self.threads = RequestThreads(most, settings.stack_size_bytes, Work(self).run, board.words, clock, log)
        self.slow = SlowRequests(self.threads, poller.connections, board.words, clock)
        caller.on_slow = self.slow.ended
        self.on_failure: Callable[[], None] = lambda: None
        self.on_maximum_requests: Optional[Callable[[], None]] = None
        self.baton: Deque[None] = collections.deque()
        self.leader = RequestThread(0)  # who leads, or led last while the monitor does; it is nobody at first
        self.turn = 0  # calls that leaders have begun
        self.ended_calls = 0  # … and that others have ended
        self.detached = 0  # request threads in the application that are not the inline leader
        self.closing = False
        self.maximum_requests = settings.maximum_requests
        self.last_begun = False  # of maximum-requests, where one thread has an order of them
        self.tune(settings)
        poller.connections.answering = self

    # Other threads

    def tune(self, settings: Serving) -> None:
        """Take over limits, for requests that wait or run already, too."""
        self.waiting.tune(settings)
        self.slow.tune(settings.slow_request_s)
        self.caller.slow_ns = self.slow.limit_ns
        self.monitor.wake()  # it may sleep for longer than that

    def start(self) -> None:
        """Start the monitor and the first leader. Raises RuntimeError when threads cannot be started."""
        self.words[WORD["heartbeat_ns"]] = self.clock()
        self.poller.listening.tell(0)  # before anybody is saturated and takes itself for the only one
        with self.lock:
            if not self._promote_request_thread():
                raise RuntimeError("cannot start a request thread")
        self.monitor.start()

    @property
    def busy(self) -> bool:
        """Whether a request is in the application or waiting for a thread."""
        with self.lock:
            return len(self.waiting) > 0 or self.threads.busy()

    def close(self, timeout_s: float) -> bool:
        """End the threads; one that is at something by then ends when that is over. Returns whether all have ended."""
        self.closing = True
        self.poller.wake()
        self.monitor.wake()
        until_s = time.monotonic() + timeout_s
        monitor_ended = self.monitor.join(until_s)
        with self.lock:
            self.threads.wake_idle()
        return self.threads.join(until_s) and monitor_ended

    # For the front: answering.Answering

    def places(self) -> int:
        """How many more connections this process has threads for; the rest is for siblings. At least one."""
        return max(1, self.threads.most - self.detached - len(self.poller.ready))

    def remaining(self) -> int:
        """How many more requests may begin here, by maximum-requests, where one thread has an order of them."""
        if not self.maximum_requests or self.threads.most > 1:
            return sys.maxsize
        return max(1, self.maximum_requests - self.words[_TOTAL])

    def ended(self) -> int:
        """How many calls have ended that somebody else led beside."""
        return self.ended_calls

    def refused(self, connection: Connection, status: int, size: int, body_size: int) -> None:
        """Count an answer of the server's own, and write it to the access log."""
        with self.lock:
            self.words[WORD["status_1xx"] + status // 100 - 1] += 1
            self.words[WORD["sent_bytes"]] += size
        access = self.caller.access
        if access.on:
            access.refused(connection, status, body_size)

    # Leadership

    def detach(self) -> None:
        """Have somebody else lead, since the leader is about to call what may take long."""
        with self.lock:
            self._count_detached()
            self._promote()

    def take_over(self) -> None:
        """Take the baton from a leader that has been in the application for a tick, and give it on. The monitor."""
        with self.lock:  # its call may end at any moment, and its thread be counted out: not before it was counted
            try:
                self.baton.pop()
            except IndexError:  # the leader polls
                return
            self._count_detached()
        # A turn that has begun since the monitor looked loses the baton early, which does no harm.
        self.pace.overran()
        self.poller.outbox.send()
        with self.lock:
            self._promote()

    def hand_over(self) -> bool:
        """Have an idle request thread lead instead of the monitor; False if there is none."""
        with self.lock:
            if not self.threads.idle:
                return False
            self.monitor.leads = False
            self.poller.listening.saturated = False
            return self._promote_request_thread()

    def count_out(self, me: RequestThread) -> None:
        """Have a thread be idle that has ended its call and lost the lead, or end. Locked."""
        self.detached -= 1
        self.words[_ACTIVE] = self.detached
        if self.closing:
            me.wake.release()
        else:
            self.threads.idle.append(me)

    def _count_detached(self) -> None:
        self.leader.tally.publish(self.words)  # this call may take long
        self.detached += 1
        self.words[_ACTIVE] = self.detached
        self.words[_STARTED] += 1

    def _promote(self) -> None:
        """Give the baton to an idle request thread, to a new one, or to the monitor. Locked; the caller leads."""
        if not self._promote_request_thread():
            self.poller.listening.saturated = True
            self.monitor.leads = True
            self.monitor.wake()

    def _promote_request_thread(self) -> bool:
        promoted = self.threads.wake_one()
        self.lanes.threads = self.threads.most  # fewer than wanted where one cannot be started
        return promoted

    # Its threads

    def begin(self, me: RequestThread) -> None:
        """Leave to the successor what comes from now on, if this request is the last one. The only thread, as it calls.

        Requests that are here already are answered all the same: nobody else can.
        """
        if self.words[_TOTAL] + me.tally.untold + 1 >= self.maximum_requests > 0 and self.threads.most == 1:
            self.last_begun = True
            self.poller.listening.over = True
            self.poller.connections.last = True
            self.poller.connections.keeps = False

    def publish(self, tally: Tally) -> None:
        """Add a thread's tally to the board. Locked."""
        if tally.empty and not self.last_begun:
            return
        self.words[_LAST] = self.clock()
        total = tally.publish(self.words)
        self.words[_STARTED] = total + self.detached
        if self.maximum_requests and (self.last_begun or total >= self.maximum_requests):
            self.maximum_requests = 0
            if self.on_maximum_requests is not None:
                self.on_maximum_requests()

    def lose(self, connection: Connection, error: BaseException) -> int:
        """End the connection of a request in whose middle an error of ours came up, or no memory; returns the time."""
        connections = self.poller.connections
        connections.report("cannot go on with a request of %s" % connection.peer, error)
        connection.answer = b""  # it may have been made, and nobody is to send it any more
        connections.abort(connection)
        connections.count_aborted()
        return self.clock()

    def fail(self, error: BaseException) -> None:
        """Nobody may lead any more: a process that looks alive and answers nothing is the worst that can happen."""
        self.poller.connections.report("the request path has failed", error)
        self.on_failure()
