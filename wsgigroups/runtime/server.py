"""The server of one daemon: what the daemon's main thread sees of the request path.

Every method may be called from any thread. The threads are the crew's; the main thread only starts, tunes and ends.
"""

from __future__ import annotations

import itertools
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from .calls.crew import Crew
from .calls.interrupts import Interrupts, threads_compete
from .front.accepting import Accepting
from .front.connections import Connections
from .front.intake import Intake
from .front.listener import Listener
from .front.listening import Listening
from .front.poller import Poller
from .front.timing import SECOND_NS
from .log import bounded
from .originals import Lock, select, socket, time
from .protocol import request_ids
from .protocol.limits import DEFAULT
from .records.access import AccessLog
from .wire.board import WORD, Board
from .wire.pulse import Pulse
from .wire.spec import Serving
from .wsgi.bodies import EMPTY_BODY
from .wsgi.caller import Caller
from .wsgi.errors import ErrorsStream
from .wsgi.files import FileWrapper
from .wsgi.observed import Observer, Observers, observe

_UNLIMITED_S = 86400.0


class Server(Accepting):
    """Serves an application on listening sockets until it is told to stop."""

    def __init__(
        self,
        *,
        settings: Serving,
        listeners: Sequence[socket.socket],
        pulses: Sequence[Pulse] = (),
        application: Callable[..., Iterable[bytes]],
        board: Board,
        log: Callable[[str, str], None],
        access_log: Optional[Callable[[bytes], None]] = None,
        identity: str = "",
        environ: Optional[Dict[str, Any]] = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Set up everything but threads. Raises OSError, ValueError.

        listeners: listening, shared with siblings; pulses: one for each, if there are siblings. application: a WSGI
        callable. environ: keys that every environ gets beside the standard ones; identity: "group/slot", which gives
        wsgigroups.group and wsgigroups.slot. access_log: takes bytes of whole lines; None: no log. clock: monotonic
        nanoseconds (tests).
        """
        self._settings = settings
        self.on_maximum_requests: Optional[Callable[[], None]] = None
        errors = ErrorsStream(log)
        base = self._base(settings, errors, identity)
        base.update(environ or {})
        epoll = select.epoll()
        connections = Connections(epoll, board.words, settings, clock, bounded(log))
        connections.new_ids = request_ids.numbered(identity or "server", time.time_ns() // 1000)
        connections.tune(settings)
        listening = Listening(
            [_listener(*item, base) for item in itertools.zip_longest(listeners, pulses)],
            epoll,
            clock,
            log,
            settings.multiprocess,
            int(identity.rpartition("/")[2] or 0),
        )
        listening.on_all_shut = self._all_shut
        listening.hold_ns = _hold_ns(settings)
        intake = Intake(DEFAULT)
        intake.tune(settings)
        super().__init__(Poller(connections, listening, intake, board.words, clock), listening, board.words)
        self._write_access = access_log
        self._clock = clock
        self._application = application
        self._interrupts = Interrupts()
        self._observer: Optional[Observer] = None
        self._observers: Tuple[Observer, ...] = ()
        self._observing = Lock()
        self._log = log
        self.caller = Caller(self._callable(settings), connections, clock, self._access(settings), errors)
        self.crew = Crew(self.poller, self.caller, settings, board, clock, log)
        self.crew.on_maximum_requests = self._maximum_requests
        self.crew.on_failure = self._failed
        self.on_all_shut: Callable[[], None] = lambda: None  # no listener listens any more: nobody will ask again
        self.on_failure: Callable[[], None] = lambda: None  # the request path is broken: nothing is answered any more

    @staticmethod
    def _base(settings: Serving, errors: ErrorsStream, identity: str) -> Dict[str, Any]:
        """What is the same in the environ of every request (PEP 3333, "environ Variables")."""
        group, _slash, slot = identity.rpartition("/")
        return {
            "SCRIPT_NAME": "",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_SOFTWARE": "wsgigroups",
            "REQUEST_SCHEME": "http",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": errors,
            "wsgi.multithread": settings.threads != 1,
            "wsgi.multiprocess": settings.multiprocess,
            "wsgi.run_once": settings.run_once,
            "wsgi.input": EMPTY_BODY,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
            "wsgigroups.group": group,
            "wsgigroups.slot": slot,
        }

    def _access(self, settings: Serving) -> AccessLog:
        write = self._write_access
        if write is None:
            return AccessLog("off", lambda _lines: None)
        return AccessLog(settings.access_log, write, self._clock)

    def _callable(self, settings: Serving) -> Callable[..., Iterable[bytes]]:
        """Return what is called for a request. An observer is outermost: a RequestTimeout cannot come up in it."""
        application = self._application
        if settings.interruptible:
            if threads_compete():
                application = self._interrupts.wrap(application)
            else:  # nobody can look at the stack of a thread that goes on meanwhile
                self._log("notice", "requests are not interrupted on an interpreter without a GIL")
        return application if self._observer is None else self._observer.around(application)

    @property
    def busy(self) -> bool:
        """Whether requests are active or queued."""
        return self.crew.busy

    def observe(self, observer: Observer) -> None:
        """Tell somebody of every request that begins from now on; of each kind only the first who asks. Any thread."""
        with self._observing:
            if any(type(known) is type(observer) for known in self._observers):
                return
            self._observers = (*self._observers, observer)
            self._observer = self._observers[0] if len(self._observers) == 1 else Observers(*self._observers)
            observe(self.caller, self._observer)
            self.caller.application = self._callable(self._settings)

    def start(self) -> None:
        """Start the threads; every listener accepts when this returns. Raises RuntimeError, OSError."""
        self.listening.defer(self.listening.outdated is not None)
        self.begin_accepting()
        self.crew.start()

    def hold_for_successor(self, outdated: Callable[[], bool]) -> None:
        """Leave connections to a successor from the moment on when this is so; it is asked before any are accepted.

        They wait for connect-timeout at most, or until `accept_again`.
        """
        self.listening.outdated = outdated

    def accept_again(self) -> None:
        """Take the connections that wait for a successor: there will be none."""
        self.listening.release()
        self.poller.wake()

    def tune(self, changes: Dict[str, Any]) -> None:
        """Take over new values of Serving's fields that may change while it runs; others are ignored."""
        before, settings = self._settings, self._settings.tuned(changes)
        self._settings = settings
        if settings.access_log != before.access_log:
            access, self.caller.access = self.caller.access, self._access(settings)
            access.flush()
        if settings.interruptible != before.interruptible:
            self.caller.application = self._callable(settings)
        self.listening.hold_ns = _hold_ns(settings)
        self.poller.connections.tune(settings)
        self.poller.receiving.intake.tune(settings)
        self.crew.tune(settings)
        if "maximum_requests" in changes:
            self.crew.maximum_requests = settings.maximum_requests
        self.poller.wake()

    def close(self, timeout_s: float = 2.0) -> None:
        """End the threads, and every connection; if one is at something still, what it may need is left as it is."""
        self.poller.stop()
        if self.crew.close(timeout_s):
            self.poller.shut()
        self.caller.access.flush()

    def let_go(self) -> None:
        """Let go of the application when no thread calls it any more, so that what it has left open can be closed."""
        self._application = self.caller.application = _gone

    def forget_in_child(self) -> None:
        """Close clients and listeners in a process that the application has forked; it must not answer for us."""
        self.caller.stranger = True
        self.listening.forget()
        self.poller.shut(forked=True)

    def requests_in_flight(self) -> List[str]:
        """Method, path and age in seconds of each request that is in the application now, the oldest first."""
        return self.crew.threads.in_flight()

    def threads_in_flight(self) -> List[int]:
        """Return the idents of the threads that these requests are in."""
        return self.crew.threads.idents()

    def interrupt(self, thread: int, since_ns: int) -> bool:
        """Raise RequestTimeout in the request that began then in that request thread; once. Whether it was raised.

        thread: its number on the board; since_ns: its busy word. Main thread only.
        """
        ident, still, asked = self.crew.threads.request_of(thread, since_ns)
        stack = self._interrupts.interrupt(ident, still) if ident else ""
        if stack:
            self._words[WORD["interrupted"]] += 1
            self._log("warning", "request-timeout: %s is interrupted\n%s" % (asked, stack))
        return bool(stack)

    def _failed(self) -> None:
        self.on_failure()

    def _all_shut(self) -> None:
        self.on_all_shut()

    def _maximum_requests(self) -> None:
        if self.on_maximum_requests is not None:
            self.on_maximum_requests()


def _gone(_environ: Dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
    raise RuntimeError("the application is called after the end")


def _hold_ns(settings: Serving) -> int:
    """Return for how long connections may wait for a successor."""
    return int((settings.connect_timeout_s or _UNLIMITED_S) * SECOND_NS)


def _listener(sock: socket.socket, pulse: Optional[Pulse], base: Dict[str, Any]) -> Listener:
    sock.setblocking(False)  # of the open file, so for all siblings: whoever comes too late gets EAGAIN
    if sock.family != socket.AF_UNIX:
        # Accepted sockets inherit it: a response in several blocks must not wait for acknowledgements.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Listener(sock, base, pulse)
