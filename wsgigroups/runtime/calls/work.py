"""What a request thread does: it leads, calls the application, and follows when somebody else has come to lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ..front.connection import CLOSED, IDLE, POSTED, Connection
from ..originals import select, time
from ..wire.notes import write_asked
from .pace import BRIEF_NS, INLINE_NS
from .request_threads import RequestThread

if TYPE_CHECKING:
    from .crew import Crew

_NEWS = ~(select.EPOLLIN | select.EPOLLOUT)  # that the client has ended its side, or all


class Work:
    """Of all threads of one crew; it keeps nothing of its own."""

    def __init__(self, crew: "Crew") -> None:
        self._crew = crew

    def run(self, me: RequestThread) -> None:
        """Lead whenever woken, until the crew closes."""
        crew = self._crew
        try:
            me.introduce(crew.notes)
            while not crew.closing:
                me.wake.acquire()
                if not crew.closing:  # else it was woken without the baton, to end
                    crew.leader = me
                    self.lead(me)
        except BaseException as error:  # noqa: BLE001 — whatever it is, it must not end in silence
            crew.fail(error)

    def lead(self, me: RequestThread) -> None:
        """Lead until the baton is lost, then answer what waits; returns when there is nothing left to do."""
        crew, poller = self._crew, self._crew.poller
        ready, outbox, baton, clock = poller.ready, poller.outbox, crew.baton, crew.clock
        pace, waiting, lanes, monitor = crew.pace, crew.waiting, crew.lanes, crew.monitor
        connection: Optional[Connection]
        outbox.send_by_ns = 0  # so that our first call is marked
        while True:
            if ready and not waiting.used:
                connection = poller.act(*ready.popleft())
                if (
                    connection is None
                    or (connection.trusted and waiting.too_late(connection))
                    or (lanes.known and not waiting.admit(connection))
                ):
                    continue
            elif not self._wait(me):
                return
            else:
                connection = waiting.next() if waiting.used else None
                if connection is None:
                    continue
            if pace.eager or connection.slow or crew.closing:
                outbox.send()
                crew.detach()
                self._answer(me, connection)
                break
            start_ns = clock()
            if start_ns > outbox.send_by_ns:
                self._mark(me, start_ns)
            crew.turn = turn = crew.turn + 1
            baton.append(None)
            if monitor.sleeps:
                monitor.wake()
            self._answer_inline(me, connection, start_ns)
            try:
                baton.pop()
            except IndexError:  # the monitor has taken it, and counted us as detached
                crew.words[me.busy_word] = 0
                crew.caller.send_late(connection, me.tally)
                break
            if connection.answer:
                outbox.post(connection)
            # It may have waited when something came. Or somebody else leads inline just now and finds the baton gone,
            # as if the monitor had taken it: it takes the place among the detached that we were given.
            if connection.signalled or crew.turn != turn:
                self._release(connection)
            elif connection.owned:
                connection.owned = False
                if (connection.data or connection.more) and connection.state <= POSTED:
                    ready.append((connection, 0))
        self._follow(me, connection)

    def _wait(self, me: RequestThread) -> bool:
        """Look for events, at once if a request is known; False: the end has come. The caller leads."""
        crew, poller = self._crew, self._crew.poller
        crew.words[me.busy_word] = 0
        if (crew.last_begun or not me.tally.empty) and not poller.ready:
            with crew.lock:
                crew.publish(me.tally)
        if crew.closing and not poller.ready:
            poller.outbox.send()
            return False
        crew.caller.access.prepare()
        poller.wait()
        poller.outbox.send_by_ns = 0  # as above
        return True

    def _mark(self, me: RequestThread, start_ns: int) -> None:
        """Say that a call begins, and let those that ended before go; the mark is good for OUTBOX_NS."""
        crew, outbox = self._crew, self._crew.poller.outbox
        crew.words[me.busy_word] = start_ns
        if outbox.posted:
            with crew.lock:
                crew.publish(me.tally)
        outbox.send()

    def _answer_inline(self, me: RequestThread, connection: Connection, start_ns: int) -> None:
        """Run one request as the leader that may come back to its baton."""
        crew, pace = self._crew, self._crew.pace
        me.connection = connection
        if crew.maximum_requests:
            crew.begin(me)
        head, brief = connection.head, pace.brief
        if head is not None:  # on the board, which outlives a crash
            write_asked(crew.notes, me.note, head.method.encode(), head.target.encode())
        if connection.arrived_ns:
            me.waited(connection, start_ns)
        try:
            end_ns = crew.caller.answer(connection, start_ns, me.tally, brief)
        except BaseException as error:  # noqa: BLE001 — ours, not the application's: this request only
            end_ns = crew.lose(connection, error)
        took_ns = end_ns - start_ns
        if not brief or took_ns >= BRIEF_NS:
            pace.led(took_ns)
        if crew.lanes.known and head is not None and took_ns < INLINE_NS:
            crew.lanes.learn(head, took_ns, end_ns)

    def _answer(self, me: RequestThread, connection: Connection) -> None:
        """Run one request while somebody else leads, with its time on the board."""
        crew, words, word = self._crew, self._crew.words, me.busy_word
        words[word] = start_ns = crew.clock()
        me.connection = connection
        if crew.maximum_requests:
            crew.begin(me)
        head, slow, connection.slow = connection.head, connection.slow, False
        if head is not None:
            write_asked(crew.notes, me.note, head.method.encode(), head.target.encode())
        if connection.arrived_ns:
            me.waited(connection, start_ns)
        computed_ns = time.process_time_ns()
        try:
            end_ns = crew.caller.answer(connection, start_ns, me.tally)
        except BaseException as error:  # noqa: BLE001 — as above
            end_ns = crew.lose(connection, error)
        words[word] = 0
        crew.ended_calls += 1
        if head is not None:
            computed_ns = time.process_time_ns() - computed_ns
            crew.lanes.learn(head, end_ns - start_ns - computed_ns, end_ns)
        if slow:
            crew.waiting.end_slow()
        else:
            crew.pace.followed(end_ns - start_ns)

    def _follow(self, me: RequestThread, connection: Connection) -> None:
        """Give the connection back, then take what waits, until nothing does or the leader takes it; then be idle."""
        crew, waiting, listening = self._crew, self._crew.waiting, self._crew.poller.listening
        again: Optional[Connection] = connection
        while again is not None:
            following = self._continue(again)
            if following is not None and following.trusted and waiting.too_late(following):
                following = None
            with crew.lock:
                if following is not None and (waiting.runnable or not waiting.begin(following)):
                    waiting.add(following)  # those who came before it come first
                    following = None
                again = following or waiting.take()
                if again is None:
                    crew.count_out(me)
                    # The monitor leads and a thread could do so again, or the leader may not know what there is to do.
                    call = listening.saturated or waiting.runnable > 0
                    listening.saturated = False
                else:  # what has left a place may have let somebody in who needs no lane
                    call = waiting.runnable > 0 and not listening.saturated
                crew.publish(me.tally)
            if call:
                crew.poller.wake()
            if again is not None:
                self._answer(me, again)

    def _continue(self, connection: Connection) -> Optional[Connection]:
        """Look for the next request of a connection that we own; None: it is the leader's again, or closed."""
        crew = self._crew
        while True:
            with crew.lock:
                flags, connection.signalled = connection.signalled, 0
                goes_on = connection.state == IDLE and (flags or connection.more or connection.data)
                if not goes_on:
                    connection.owned = False
            if not goes_on:
                if flags and connection.state != CLOSED:
                    crew.poller.ready.append((connection, flags))
                    crew.poller.wake()
                return None
            if flags & _NEWS:
                connection.gone = True
            if flags:
                connection.more = True
            if crew.poller.receiving.resume(connection):
                return connection

    def _release(self, connection: Connection) -> None:
        """Give a connection back while leading."""
        crew = self._crew
        with crew.lock:
            flags, connection.signalled = connection.signalled, 0
            connection.owned = False
        if connection.state == CLOSED or not (flags or connection.more or connection.data):
            return
        if flags & _NEWS:
            connection.gone = True
        if connection.state <= POSTED:  # what was received before the client shut its side comes first
            connection.more = connection.more or bool(flags)
            flags = 0
        crew.poller.ready.append((connection, flags))
