"""The server of one gateway process: what the daemon's main thread sees of it, as runtime/server.py is for daemons.

Every method may be called from any thread. The loop is one thread; the main thread only starts, tells and ends it.
"""

from __future__ import annotations

import itertools
import resource
from typing import Any, Callable, Dict, List, Optional, Sequence

from ..front.accepting import Accepting
from ..front.connections import Connections
from ..front.intake import Intake
from ..front.listening import Listening
from ..front.poller import Poller
from ..log import bounded
from ..originals import Lock, select, socket, time
from ..protocol import request_ids
from ..protocol.limits import DEFAULT
from ..threads import ServerThread
from ..wire.board import WORD, Board
from ..wire.pulse import Pulse
from ..wire.routes import Routes
from ..wire.spec import Serving
from .asking import COLLECTED_BYTES
from .certificates import DIRECTORY, Certificates
from .client import SiteListener
from .loop import Loop
from .table import RouteTable
from .tickets import Tickets

_HUNG_S = 60.0  # the loop puts a table in place within a round; when it does not for so long, it hangs


class GatewayServer(Accepting):
    """Serves sites on listening sockets until it is told to stop."""

    def __init__(
        self,
        *,
        settings: Serving,
        listen: Sequence[str],
        listeners: Sequence[socket.socket],
        pulses: Sequence[Pulse] = (),
        board: Board,
        log: Callable[[str, str], None],
        identity: str = "",
        certificates: str = DIRECTORY,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Set up everything but the thread. Raises OSError, ValueError.

        listen: the addresses, as routes name them; listeners: their sockets, listening, shared with siblings; pulses:
        one for each, if there are siblings. identity: "group/slot". certificates: the directory where they are.
        clock: monotonic nanoseconds (tests).
        """
        self._settings = settings
        self._listen = list(listen)
        self._log = bounded(log)
        self._clock = clock
        self.on_maximum_requests: Optional[Callable[[], None]] = None  # a gateway does not leave because of them
        self.on_all_shut: Callable[[], None] = lambda: None  # no listener listens any more: nobody will ask again
        self.on_failure: Callable[[], None] = lambda: None  # the loop is broken: nothing is answered any more
        self._certificates = Certificates(self._log, certificates)
        self.tickets = Tickets(self._log)
        epoll = select.epoll()
        connections = Connections(epoll, board.words, settings, clock, self._log)
        self._entrances = [
            SiteListener(_prepared(sock), {"SCRIPT_NAME": ""}, pulse, number)
            for number, (sock, pulse) in enumerate(itertools.zip_longest(listeners, pulses))
        ]
        slot = int(identity.rpartition("/")[2] or 0)
        listening = Listening(self._entrances, epoll, clock, log, settings.multiprocess, slot)
        listening.on_all_shut = self._all_shut
        intake = Intake(DEFAULT)
        intake.tune(settings)
        intake.collected_bytes = COLLECTED_BYTES
        super().__init__(Poller(connections, listening, intake, board.words, clock), listening, board.words)
        self.poller.arrivals.most_connections = _most_connections()
        table = RouteTable(Routes(), self._listen, (), (), self._log, clock)
        ids = request_ids.numbered(identity, time.time_ns() // 1000)
        self.loop = Loop(self.poller, board.words, settings, table, ids, clock, self._log)
        self.loop.on_failure = self._failed
        self._thread = ServerThread("wsgigroups-gateway", self.loop.run)
        self._started = False

    # Routes

    def route(
        self, routes: Routes, directories: Sequence[int] = (), access_logs: Sequence[int] = (), counts: int = -1
    ) -> None:
        """Go by these routes from now on: when this returns, every request that begins does. Raises RoutesError.

        The descriptors of directories are the server's from then on, those of access logs stay the caller's, and
        so does that of the page where requests are counted (site_counts.py); -1: nobody reads it. Requests that have
        begun keep what they were begun with. Main thread only.
        """
        before = self.loop.table
        table = RouteTable(routes, self._listen, directories, access_logs, self._log, self._clock, before, counts)
        self._certificates.look_again()
        names = (site.certificate for site in routes.sites.values() if site.certificate)
        self.tickets.take(routes.ticket_keys, names, self._certificates)
        if not self._started:
            self._put_in_place(table)
            return
        done = Lock()
        done.acquire()

        def replace() -> None:
            try:
                self._put_in_place(table)
            finally:
                done.release()

        self.loop.news.append(replace)
        self.poller.wake()
        done.acquire(timeout=_HUNG_S)

    def _put_in_place(self, table: RouteTable) -> None:
        self.loop.put_in_place(table, self._entrances, self._certificates, self.tickets)

    # As runtime/server.py

    @property
    def busy(self) -> bool:
        """Whether requests are being answered."""
        return bool(self.loop.replies)

    def start(self) -> None:
        """Start the loop; every listener accepts when this returns. Raises RuntimeError, OSError."""
        self._words[WORD["heartbeat_ns"]] = self._clock()
        self.begin_accepting()
        self._started = True
        self._thread.start()

    def accept_again(self) -> None:
        """Take the connections that wait for a successor: they never do here."""

    def tune(self, changes: Dict[str, Any]) -> None:
        """Take over new values of Serving's fields that may change while it runs; others are ignored."""
        self._settings = settings = self._settings.tuned(changes)
        self.loop.settings = settings
        self.poller.connections.tune(settings)
        self.poller.receiving.intake.tune(settings)
        self.poller.wake()

    def close(self, timeout_s: float = 2.0) -> None:
        """End the loop, and every connection."""
        self.poller.stop()
        self.loop.closing = True
        self.poller.wake()
        if not self._started or self._thread.join(timeout_s):
            for reply in list(self.loop.replies):
                reply.release()
            self.poller.shut()
            self.loop.table.close()

    def let_go(self) -> None:
        """Let go of the application: there is none."""

    def forget_in_child(self) -> None:
        """Close clients and listeners in a process that was forked from this one; it must not answer for us."""
        self.listening.forget()
        self.poller.shut(forked=True)

    def requests_in_flight(self) -> List[str]:
        """Method, path and age in seconds of each request that is being answered, the oldest first."""
        return self.loop.in_flight()

    def threads_in_flight(self) -> List[int]:
        """Return the idents of the threads that these requests are in: none has one."""
        return []

    def interrupt(self, _thread: int, _since_ns: int) -> bool:
        """Interrupt a request: there is no call that could be."""
        return False

    def _failed(self) -> None:
        self.on_failure()

    def _all_shut(self) -> None:
        self.on_all_shut()


def _most_connections() -> int:
    """Half of what descriptors allow, since each client may need one more, for a link or a file."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 65536 if soft == resource.RLIM_INFINITY else max(8, min(65536, soft // 2 - 32))


def _prepared(sock: socket.socket) -> socket.socket:
    sock.setblocking(False)  # of the open file, so for all siblings: whoever comes too late gets EAGAIN
    if sock.family != socket.AF_UNIX:
        # Accepted sockets inherit it: an answer in several blocks must not wait for acknowledgements.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
