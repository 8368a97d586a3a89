"""The listening sockets, shared with every process of the group: when to watch them, and accepting.

Used by the leader alone. EPOLLEXCLUSIVE wakes one idle process for a new connection; that wake-up is lost unless the
process accepts, so whoever sees a listener ready accepts before anything else. A process without a free request thread
does not watch: its siblings take what comes, if there are any. If every sibling says on the pulse of the listener that
it has no thread free either, and no shorter queue, a process whose calls end takes a few of those that wait into its
own. A process whose calls do not end is stuck: it takes none until no sibling has taken one for a while; then nobody
gets on, and connections are taken in so that queue-timeout and connect-timeout hold for them. A process that has more
connections than a sibling leaves it the next one. See siblings.Siblings.
"""

from __future__ import annotations

import contextlib
import errno
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ..originals import select, socket
from ..protocol.forwarding import Trust
from .connection import Connection
from .listener import Listener
from .siblings import Siblings

PROBE_S = 0.025  # how often a process without a free thread looks whether connections wait
_BRISK_S = 0.005  # … while its calls end
_PROBES = 8  # so many looks in a row must find one, and none that a sibling has taken
_FRESH_NS = int(_PROBES * PROBE_S * 1e9)  # … and for so long nobody was free
_LATELY_NS = int(2 * PROBE_S * 1e9)  # between two looks; after a longer time it is not known when calls have ended
PAUSE_NS = 1_000_000_000  # after accept(2) failed for want of descriptors or memory
_MOST = 64  # taken in at once, when nobody gets on
_FEW = 4  # taken in at once, when nobody is free
_TURN_NS = 5_000_000  # under load all take part anyway
LEAVE_NS = 2_000_000  # for so long a connection is left to siblings
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Listening:
    """All listeners of this process, and whether epoll watches them now."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        epoll: select.epoll,
        clock: Callable[[], int],
        log: Callable[[str, str], None],
        has_siblings: bool,
        slot: int = 0,
    ) -> None:
        self._by_fd = {listener.fd: listener for listener in listeners}
        self._epoll = epoll
        self._clock = clock
        self._log = log
        self._has_siblings = has_siblings
        pulses = [listener.pulse for listener in listeners if listener.pulse is not None]
        self.siblings = Siblings(pulses, slot, clock, has_siblings)
        self.on_all_shut: Callable[[], None] = lambda: None  # no connection will come again
        self._left: Dict[int, int] = {}  # by listener: its pulse when we left a connection to others
        self.watching = False
        self.stopped = False
        self.leaving = False  # a successor serves, or will soon: connections that no thread is free for are for it
        self.over = False  # nothing more is taken, whatever comes: the last request has begun (maximum-requests)
        self.closes_by_ns = 0  # when the listeners are closed for everybody, at the latest; 0: others have them
        self.paused_until_ns = 0
        self.outdated: Optional[Callable[[], bool]] = None  # asked before connections are accepted: for a successor?
        self.hold_ns = 0  # for how long they wait for one
        self.held = False  # they do
        self.saturated = False  # no request thread is free
        self.reserved = False  # none is free for a request that waits long: see lanes.Lanes
        self._taken = 0  # connections since the start
        self._turned_ns = 0  # when we last went behind our siblings
        self._looks = 0  # in a row that saw connections wait
        self._first_look_ns = self.looked_ns = 0  # when `probe` looked: the first of those, and last
        self._ended = 0  # how many calls had ended by then
        self._waiting = select.poll()
        for fd in self._by_fd:
            self._waiting.register(fd, select.POLLIN)

    def __contains__(self, fd: int) -> bool:
        return fd in self._by_fd

    def adjust(self, full: bool) -> None:
        """Watch or do not, as the state of the process wants; cheap when nothing changed."""
        wanted = not (
            self.stopped or self.over or self.paused_until_ns or full or (self.occupied and self._siblings_are_better())
        )
        if wanted == self.watching:
            return
        if not wanted:
            self.unwatch()
            return
        self.watching = True
        self._looks = 0
        for fd in self._by_fd:
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    @property
    def occupied(self) -> int:
        """Whether a sibling may serve new connections better: 2 when no thread is free, 1 when one is, but no lane."""
        return 2 if self.saturated else 1 if self.reserved else 0

    def _siblings_are_better(self) -> bool:
        """Whether to leave new connections to siblings: the caller is occupied."""
        if self.saturated:
            return self.leaving or not self.siblings.alone()
        return self.siblings.have_lane()

    def unwatch(self) -> None:
        """Have epoll wake others for new connections."""
        if not self.watching:
            return
        self.watching = False
        self._looks = 0
        for fd in self._by_fd:
            self._epoll.unregister(fd)

    @property
    def descriptors(self) -> List[int]:
        """Of all listeners."""
        return list(self._by_fd)

    def forget(self) -> None:
        """Close the listeners in a forked child."""
        for listener in self._by_fd.values():
            listener.sock.close()

    def awaits_siblings(self) -> bool:
        """Whether the listeners are to be closed, and siblings still take connections from them."""
        return self._clock() < self.closes_by_ns and self.siblings.take()

    def shut_down(self) -> None:
        """Have whoever connects from now on be refused; what waits in a queue is reset."""
        for listener in self._by_fd.values():
            with contextlib.suppress(OSError):  # somebody was faster
                listener.sock.shutdown(socket.SHUT_RDWR)

    def anybody_waits(self) -> bool:
        """Whether a connection waits to be accepted now."""
        return not self.stopped and bool(self._waiting.poll(0))

    def probing(self) -> bool:
        """Tell whether `probe` should be called every PROBE_S."""
        if self.watching or self.stopped or self.leaving or self.over or self.paused_until_ns:
            return False
        return self._has_siblings and bool(self.occupied)

    @property
    def probe_s(self) -> float:
        """How soon to look again."""
        return _BRISK_S if self.siblings.moves(self._clock()) else PROBE_S

    def probe(self, ended: int) -> List[Tuple[int, int]]:
        """Look once: listeners to accept from, and how many connections at most.

        ended: how many calls have ended here, since whenever.
        """
        now_ns = self._clock()
        lately = ended - self._ended if now_ns - self.looked_ns <= _LATELY_NS else 0
        self.looked_ns, self._ended = now_ns, ended
        if lately > 0:
            self.siblings.moved()
        waiting = [fd for fd, _events in self._waiting.poll(0)]
        ready = [fd for fd in waiting if not self._served(fd)]
        self._looks = self._looks + 1 if ready else 0
        if self._looks == 1:
            self._first_look_ns = now_ns
        if self._looks >= _PROBES and now_ns - self._first_look_ns >= _FRESH_NS:
            self._looks = 0
            return [(fd, _MOST) for fd in ready]
        return [(fd, min(lately, _FEW)) for fd in waiting if lately > 0 and self._nobody_better(fd)]

    def _nobody_better(self, fd: int) -> bool:
        """Whether every sibling has said that it has no thread free, and at least as many requests that wait."""
        pulse = self._by_fd[fd].pulse
        return pulse is not None and self.siblings.all_longer(pulse)

    def _served(self, fd: int) -> bool:
        """Whether a sibling with a free thread has taken a connection a short while ago."""
        pulse = self._by_fd[fd].pulse
        return pulse is not None and self._clock() - pulse.word[0] < _FRESH_NS

    def tell(self, connections: int) -> None:
        """Let siblings know how many connections there are here, or that no thread is free."""
        self.siblings.tell(connections, self.saturated, self.reserved, self.stopped)

    def leaves(self, fd: int, connections: int) -> bool:
        """Whether the connection that waits should rather go to a sibling.

        Kept connections stay where they are accepted, so a burst that one process takes alone keeps one core busy for
        as long as its clients stay. The wake-up was for us, and the sibling may sleep: if nobody has taken a
        connection when the pause is over, we do.
        """
        listener = self._by_fd[fd]
        pulse = listener.pulse
        if pulse is None or not self._has_siblings:
            return False
        wanted = self.siblings.want(pulse, connections, self._taken, self.reserved, listener.waiting)
        if self._left.pop(fd, None) == pulse.word[0] or not wanted:
            return False
        self._left[fd] = pulse.word[0]
        self.paused_until_ns = self._clock() + LEAVE_NS
        return True

    def holds(self) -> bool:
        """Whether connections wait for a successor, from now on or still; it serves them, or `release` is called.

        Not for ever: nobody says that there will be none.
        """
        if not self.held and self.outdated is not None and self.outdated():
            self.held = True
            self.paused_until_ns = self._clock() + self.hold_ns
        return self.held

    def defer(self, wanted: bool) -> None:
        """Have connections wait in the kernel until they say something, since one that is accepted cannot go back."""
        for listener in self._by_fd.values():
            listener.defer(wanted)

    def release(self) -> None:
        """Accept again: there is no successor. Any thread; it wakes the leader afterwards."""
        self.held = False
        self.paused_until_ns = 0

    def accept(self, fd: int, trust: Trust, most: int) -> List[Connection]:
        """Accept up to `most` connections."""
        found: List[Connection] = []
        listener = self._by_fd[fd]
        now_ns = self._clock()
        if listener.pulse is not None and not self.saturated:
            listener.pulse.word[0] = now_ns
        while len(found) < most:
            try:
                found.append(listener.accept(trust))
            except BlockingIOError:
                if not found and listener.is_shut():  # else it is looked at with its next event, which comes at once
                    self._lose(listener)
                break
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._log("error", "cannot accept connections for the next second: %s" % error)
                    self.paused_until_ns = self._clock() + PAUSE_NS
                    break
                if error.errno == errno.EINVAL:
                    self._lose(listener)
                    break
                if error.errno in (errno.EBADF, errno.ENOTSOCK):
                    raise
                # ECONNABORTED and what accept(2) lists as pending network errors: the next one may be good
        self._taken += len(found)
        if found and now_ns - self._turned_ns >= _TURN_NS and self._has_siblings:
            self._go_behind(fd, now_ns)
        return found

    def _go_behind(self, fd: int, now_ns: int) -> None:
        """Have a sibling that has waited for longer woken for the next connection.

        The kernel wakes the first of those that wait, and who was woken keeps its place: with little to do, one process
        would take everything, and a new one would not be tried by anybody.
        """
        if self.watching and fd in self._by_fd:
            self._turned_ns = now_ns
            self._epoll.unregister(fd)
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def _lose(self, listener: Listener) -> None:
        """Let go of a socket that does not listen any more: somebody who has it as well has shut it down."""
        self._log("warning", "a listener was shut down: it takes no connections any more")
        del self._by_fd[listener.fd]
        self._waiting.unregister(listener.fd)
        if self.watching:
            self._epoll.unregister(listener.fd)
        if not self._by_fd:
            self.on_all_shut()
