"""The threads of a daemon: request threads that lead in turn, and the monitor that watches the leader.

Leadership is a baton: `_baton` is empty while somebody drives the poller, who may pass it to another thread without
putting it back. A leader that calls the application *inline* puts it there for that time: on return it takes it back
and goes on polling, at the cost of two operations on a deque, which are atomic and cheaper than a lock's, and of no
hand-off at all. If the call takes longer than a tick, the monitor has taken the baton in the meantime and given it to
another thread, and the returning one goes on as an ordinary request thread. After that the crew is *eager*: leaders
hand over before they call. Where calls compute it goes over to *single*: requests are put in line, and the leader calls
them one by one. See pace.Pace for when. When every request thread is in the application, the monitor leads: it
receives, keeps time and queues requests, and never calls the application. Whatever is in the queue when a request
thread leads comes before what that thread finds in the poll.

What is shared, and why that needs no GIL: `_turn` is written by the leader alone, before it puts down the baton, and
read by the monitor after it has taken it; idle threads, the queue, `_detached` and the board's counters are guarded by
`poller.lock`; what the pace is decided by may lose an update, which moves a switch of modes by a few requests.
"""

from __future__ import annotations

import collections
import select
import threading
import time
from typing import Callable, Deque, List, Optional, Tuple

from ..front.connection import CLOSED, IDLE, POSTED, Connection
from ..front.poller import REPEATED, Poller
from ..records.tally import Tally
from ..wire.board import WORD, Board
from ..wire.spec import Serving
from ..wsgi.caller import Caller
from .lanes import Lanes
from .line import Line
from .pace import QUICK_NS, TICK_S, Pace, threads_compete
from .request_threads import RequestThread, RequestThreads

BRIEF_NS = 300_000  # after BRIEF_ROW calls in a row that took less, answers of one round leave together
BRIEF_ROW = 100
_QUIET_TICKS = 10  # ticks without a new request after which the monitor sleeps until the next one
HEARTBEAT_S = 1.0
_STARTED, _ACTIVE = WORD["started_total"], WORD["requests_active"]
_ABORTED, _LAST, _HEARTBEAT = WORD["aborted"], WORD["last_activity_ns"], WORD["heartbeat_ns"]


class Crew:
    """Starts, promotes and ends the threads."""

    def __init__(
        self,
        poller: Poller,
        caller: Caller,
        settings: Serving,
        board: Board,
        clock: Callable[[], int],
        log: Callable[[str, str], None],
        pace: Optional[Pace] = None,
    ) -> None:
        self._clock = clock
        self._poller = poller
        self._caller = caller
        most = min(settings.threads, board.threads)
        self._threads = RequestThreads(most, settings.stack_size_bytes, self._work, log)
        self._lanes = Lanes(most)
        self._line = Line(poller, self._lanes, board.words, clock)
        self._lock = poller.lock
        self._words = board.words
        self.maximum_requests = settings.maximum_requests
        self.on_maximum_requests: Optional[Callable[[], None]] = None
        self.on_failure: Callable[[], None] = lambda: None
        self._leader = RequestThread(0)  # who leads, or led last while the monitor does; it is nobody at first
        self._detached = 0  # request threads in the application that are not the inline leader
        if settings.multiprocess:
            poller.places = self._places
            poller.ended = lambda: self._ended_calls
            poller.work = lambda: (self._turn + self._ended_calls, self._brief_row == BRIEF_ROW)
        self._baton: Deque[None] = collections.deque()
        self._turn = 0
        self._pace = pace or Pace(threads_compete())
        self._ended_calls = 0  # of threads that did not lead; for the pace
        self._cpu_ns = self._looked_ns = 0  # processor time of the process at the last look, and when that was
        self._brief_row = 0  # calls in a row that took less than BRIEF_NS, counted while inline
        self._closing = self._monitor_sleeps = self._monitor_leads = False
        self._monitor_wake = threading.Lock()
        self._monitor_wake.acquire()
        self._monitor: Optional[threading.Thread] = None

    # Other threads

    def start(self) -> None:
        """Start the monitor and the first leader. Raises RuntimeError when threads cannot be started."""
        self._words[_HEARTBEAT] = self._clock()
        self._poller.listening.tell(0)  # before anybody is saturated and takes itself for the only one
        with self._lock:
            if not self._promote_request_thread():
                raise RuntimeError("cannot start a request thread")
        self._monitor = threading.Thread(target=self._watch, name="wsgigroups-monitor", daemon=True)
        self._monitor.start()

    @property
    def busy(self) -> bool:
        """Whether a request is in the application or waiting for a thread."""
        with self._lock:
            return len(self._line) > 0 or self._threads.busy(self._words)

    def requests_in_flight(self) -> List[str]:
        """Tell what is in the application now, the oldest first; for people."""
        return self._threads.in_flight(self._words, self._clock())

    def request_of(self, thread: int, since_ns: int) -> Tuple[int, Callable[[], bool], str]:
        """Return the ident of a request thread, 0 if it runs no such request, whether it still does, and what it is."""
        return self._threads.request_of(self._words, thread, since_ns, self._clock())

    def close(self, timeout_s: float) -> bool:
        """End the threads; one that is at something by then ends when that is over. Returns whether all have ended."""
        self._closing = True
        self._poller.wake()
        self._wake_monitor()
        until_s = time.monotonic() + timeout_s
        if self._monitor is not None:
            self._monitor.join(max(0.0, until_s - time.monotonic()))
        with self._lock:
            self._threads.wake_idle()
        return self._threads.join(until_s) and not (self._monitor is not None and self._monitor.is_alive())

    def _places(self) -> int:
        """How many more connections this process has threads for; the rest is for siblings. At least one."""
        return max(1, self._threads.most - self._detached - len(self._poller.ready))

    # Leadership; the caller of these has the baton and `_lock`

    def _promote(self) -> None:
        """Give the baton to an idle request thread, to a new one, or to the monitor."""
        if not self._promote_request_thread():
            self._poller.listening.saturated = True
            self._monitor_leads = True
            self._wake_monitor()

    def _promote_request_thread(self) -> bool:
        promoted = self._threads.wake_one()
        self._lanes.threads = self._threads.most  # fewer than wanted where one cannot be started
        return promoted

    def _wake_monitor(self) -> None:
        """Cut its sleep short; a second wake-up before it has slept changes nothing."""
        self._monitor_sleeps = False
        try:
            self._monitor_wake.release()
        except RuntimeError:  # released already
            return

    # A request thread

    def _work(self, me: RequestThread) -> None:
        try:
            while not self._ending():
                me.wake.acquire()
                if not self._ending():  # else it was woken without the baton, to end
                    self._leader = me
                    self._drive(me)
        except BaseException as error:  # noqa: BLE001 — whatever it is, it must not end in silence
            self._fail(error)

    def _ending(self) -> bool:
        return self._closing

    def _drive(self, me: RequestThread) -> None:
        """Lead until the baton is lost, then answer what is queued; returns when there is nothing left to do."""
        poller, ready, baton, clock = self._poller, self._poller.ready, self._baton, self._clock
        pace, line, lanes, queue, outbox = self._pace, self._line, self._lanes, poller.queue, poller.outbox
        connection: Optional[Connection]
        poller.send_by_ns = 0  # so that our first call is marked
        ended_ns = 0  # when the call right before did; 0: it is not known, or something else was done meanwhile
        while True:
            if ready and not queue.used:
                connection, flags = ready.popleft()
                ended_ns = ended_ns if flags == REPEATED else 0
                if (
                    (flags != REPEATED and (connection := poller.act(connection, flags)) is None)
                    or (connection.trusted and line.too_late(connection))
                    or (lanes.known and not line.admit(connection))
                ):
                    continue
            elif not self._wait(me):
                return
            else:
                ended_ns = 0
                connection = line.next(pace.single) if queue.used else None
                if connection is None:
                    continue
            if pace.eager or connection.slow or self._closing:
                self._hand_on(me, connection)
                return
            start_ns = ended_ns or clock()
            if start_ns > poller.send_by_ns:
                self._mark(me, start_ns)
            self._turn = turn = self._turn + 1
            baton.append(None)
            if self._monitor_sleeps:
                self._wake_monitor()
            ended_ns = self._answer_inline(me, connection, start_ns)
            try:
                baton.pop()
            except IndexError:  # the monitor has taken it, and counted us as detached
                break
            if connection.answer:
                connection.state = POSTED
                outbox.append(connection)
            # It may have been in the queue when something came. Or somebody else leads inline just now and finds the
            # baton gone, as if the monitor had taken it: it takes the place among the detached that we were given.
            if connection.signalled or self._turn != turn:
                self._release(connection)
            elif connection.owned:
                connection.owned = False
                if (connection.data or connection.more) and connection.state <= POSTED:
                    ready.append((connection, 0))
        self._words[me.busy_word] = 0
        self._caller.send_late(connection, me.tally)
        self._follow(me, connection)

    def _wait(self, me: RequestThread) -> bool:
        """Look for events, at once if a request is known; False: the end has come. The caller leads."""
        poller = self._poller
        self._words[me.busy_word] = 0
        if not (me.tally.empty or poller.ready):
            with self._lock:
                self._publish(me.tally)
        if self._closing and not poller.ready:
            poller.send_outbox()
            return False
        self._caller.access.prepare()
        poller.wait()
        poller.send_by_ns = 0  # as above
        return True

    def _mark(self, me: RequestThread, start_ns: int) -> None:
        """Say that a call begins, and let those that ended before go; the mark is good for OUTBOX_NS."""
        self._words[me.busy_word] = start_ns
        if self._poller.outbox:
            with self._lock:
                self._publish(me.tally)
        self._poller.send_outbox()

    def _hand_on(self, me: RequestThread, connection: Connection) -> None:
        """Hand over first, then call."""
        self._poller.send_outbox()
        self._detach()
        self._answer(me, connection, self._clock())
        self._follow(me, connection)

    def _detach(self) -> None:
        """Have somebody else lead while the leader, or who was, is in the application."""
        with self._lock:
            self._leader.tally.publish(self._words)  # this call may take long
            self._detached += 1
            self._words[_ACTIVE] = self._detached
            self._words[_STARTED] += 1
            self._promote()

    def _answer_inline(self, me: RequestThread, connection: Connection, start_ns: int) -> int:
        """Run one request as the leader that may come back to its baton; returns the time of its end."""
        me.connection = connection
        head = connection.head
        if connection.arrived_ns:
            me.waited(connection, start_ns)
        swift = self._brief_row == BRIEF_ROW
        try:
            end_ns = self._caller.answer(connection, start_ns, me.tally, swift)
        except BaseException as error:  # noqa: BLE001 — ours, not the application's: this request only
            end_ns = self._lose(connection, error)
        if end_ns - start_ns >= BRIEF_NS:
            self._brief_row = 0
        elif not swift:
            self._brief_row = row = self._brief_row + 1
            if row == BRIEF_ROW:
                self._pace.brief()
        if self._lanes.known and head is not None and end_ns - start_ns < QUICK_NS:
            self._lanes.learn(head, end_ns - start_ns, end_ns)
        return end_ns

    def _answer(self, me: RequestThread, connection: Connection, start_ns: int) -> None:
        """Run one request while somebody else leads, with its time on the board."""
        words, word = self._words, me.busy_word
        words[word] = start_ns
        me.connection = connection
        head, slow, connection.slow = connection.head, connection.slow, False
        if connection.arrived_ns:
            me.waited(connection, start_ns)
        computed_ns = time.process_time_ns()
        try:
            end_ns = self._caller.answer(connection, start_ns, me.tally)
        except BaseException as error:  # noqa: BLE001 — as above
            end_ns = self._lose(connection, error)
        words[word] = 0
        self._ended_calls += 1
        if head is not None:
            computed_ns = time.process_time_ns() - computed_ns
            self._lanes.learn(head, end_ns - start_ns - computed_ns, end_ns)
        if slow:
            self._line.end_slow()
        else:
            self._pace.ended(end_ns - start_ns)

    def _lose(self, connection: Connection, error: BaseException) -> int:
        """An error of ours, or no memory, in the middle of a request: end its connection and serve on."""
        self._poller.report("cannot go on with a request of %s" % connection.peer, error)
        connection.answer = b""  # it may have been made, and nobody is to send it any more
        self._poller.abort(connection)
        with self._lock:
            self._words[_ABORTED] += 1
        return self._clock()

    def _fail(self, error: BaseException) -> None:
        """Nobody may lead any more: a process that looks alive and answers nothing is the worst that can happen."""
        self._poller.report("the request path has failed", error)
        self.on_failure()

    def _follow(self, me: RequestThread, connection: Connection) -> None:
        """Give the connection back, then take what is queued, until nothing is or the leader does; then be idle."""
        line, queue = self._line, self._poller.queue
        again: Optional[Connection] = connection
        while again is not None:
            following = self._continue(again)
            if following is not None and following.trusted and line.too_late(following):
                following = None
            with self._lock:
                single = self._pace.single
                if following is not None and (single or queue.runnable or not line.begin(following)):
                    line.offer(following, self._clock())  # those who came before it come first
                    following = None
                again = following or (None if single else line.take())
                if again is None:
                    self._detached -= 1
                    self._words[_ACTIVE] = self._detached
                    if self._closing:
                        me.wake.release()
                    else:
                        self._threads.idle.append(me)
                    # The monitor leads and a thread could do so again, or the leader may not know what there is to do.
                    call = self._poller.listening.saturated or (len(queue) if single else queue.runnable) > 0
                    self._poller.listening.saturated = False
                else:  # what has left a place may have let somebody in who needs no lane
                    call = queue.runnable > 0 and not self._poller.listening.saturated
                self._publish(me.tally)
            if call:
                self._poller.wake()
            if again is None:
                return
            self._answer(me, again, self._clock())

    def _continue(self, connection: Connection) -> Optional[Connection]:
        """Look for the next request of a connection that we own; None: it is the leader's again, or closed."""
        while True:
            with self._lock:
                flags, connection.signalled = connection.signalled, 0
                waiting = connection.state == IDLE and (flags or connection.more or connection.data)
                if not waiting:
                    connection.owned = False
            if not waiting:
                if flags and connection.state != CLOSED:
                    self._poller.ready.append((connection, flags))
                    self._poller.wake()
                return None
            if flags & ~(select.EPOLLIN | select.EPOLLOUT):
                connection.gone = True
            if flags:
                connection.more = True
            if self._poller.resume(connection):
                return connection

    def _release(self, connection: Connection) -> None:
        """Give a connection back while leading."""
        with self._lock:
            flags, connection.signalled = connection.signalled, 0
            connection.owned = False
        if connection.state == CLOSED or not (flags or connection.more or connection.data):
            return
        if flags & ~(select.EPOLLIN | select.EPOLLOUT):
            connection.gone = True
        if connection.state <= POSTED:  # what was received before the client shut its side comes first
            connection.more = connection.more or bool(flags)
            flags = 0
        self._poller.ready.append((connection, flags))

    def _publish(self, tally: Tally) -> None:
        """Add a thread's tally to the board. The caller holds `_lock`."""
        if tally.empty:
            return
        self._words[_LAST] = self._clock()
        total = tally.publish(self._words)
        self._words[_STARTED] = total + self._detached
        if self.maximum_requests and total >= self.maximum_requests:
            self.maximum_requests = 0
            if self.on_maximum_requests is not None:
                self.on_maximum_requests()

    # The monitor

    def _hand_over(self) -> None:
        """Give the baton to an idle request thread. The caller, the monitor, holds `_lock`."""
        self._monitor_leads = False
        self._poller.listening.saturated = False
        self._promote_request_thread()

    def _watch(self) -> None:
        try:
            self._keep_watch()
        except BaseException as error:  # noqa: BLE001 — as for a request thread
            self._fail(error)

    def _keep_watch(self) -> None:
        beat_s = time.monotonic()
        quiet = turn = 0
        while not self._closing:
            if self._monitor_leads:
                self._lead_without_threads()
            elif quiet < _QUIET_TICKS:
                self._monitor_wake.acquire(timeout=TICK_S)
            else:
                self._sleep_until(beat_s + HEARTBEAT_S, turn)
            now_s = time.monotonic()
            if now_s - beat_s >= HEARTBEAT_S:
                beat_s = now_s
                self._words[_HEARTBEAT] = self._clock()
                self._poller.listening.tell(len(self._poller.connections))
                self._lanes.forget(self._clock())
            if turn != self._turn:
                turn = self._turn
                quiet = 0
            else:
                quiet += 1
            computing = (self._pace.eager or self._pace.single) and self._look()
            if quiet and not self._pace.may_go_on(quiet, computing):
                self._take_over(computing)
            self._caller.access.flush()

    def _look(self) -> bool:
        """Weigh what has been done; whether the process has computed for most of the time since the last look."""
        cpu_ns, now_ns = time.process_time_ns(), self._clock()
        computing = 2 * (cpu_ns - self._cpu_ns) > now_ns - self._looked_ns
        self._cpu_ns, self._looked_ns = cpu_ns, now_ns
        if self._pace.weigh(now_ns, cpu_ns, self._turn + self._ended_calls):
            with self._lock:
                self._poller.queue.used = True
        return computing

    def _sleep_until(self, when_s: float, turn: int) -> None:
        """Sleep until then, or until a leader begins a turn or hands over."""
        self._monitor_sleeps = True
        # A leader that began a turn before it could see the flag will not wake us.
        if turn == self._turn and not self._monitor_leads:
            self._monitor_wake.acquire(timeout=max(0.0, when_s - time.monotonic()))
        self._monitor_sleeps = False

    def _take_over(self, computing: bool) -> None:
        """Take the baton from a leader that has been in the application for a tick, and give it on."""
        if self._monitor_leads:
            return
        try:
            self._baton.pop()
        except IndexError:  # the leader polls
            return
        # Nobody can begin a turn now; a turn that began since we looked loses the baton early, which does no harm.
        self._pace.overran(self._clock(), computing)
        self._brief_row = 0
        self._poller.send_outbox()
        self._detach()

    def _lead_without_threads(self) -> None:
        """Lead while every request thread is in the application."""
        poller, words = self._poller, self._words
        while not self._closing:
            with self._lock:
                if self._threads.idle:
                    self._hand_over()
                    return
            words[_HEARTBEAT] = now_ns = self._clock()
            if self._pace.due(now_ns):
                self._look()
            if not poller.ready:
                self._caller.access.flush()
                poller.wait()  # at most LONGEST_WAIT_S, since connections are open
                continue
            connection = poller.step()
            if connection is not None:
                self._line.put(connection)
