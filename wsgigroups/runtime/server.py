"""The server of one daemon: what the daemon's main thread sees of the request path.

Every method may be called from any thread. The threads are the crew's; the main thread only starts, tunes and ends.
"""

from __future__ import annotations

import itertools
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from .calls.crew import Crew
from .calls.interrupts import Interrupts, threads_compete
from .front.connections import Connections
from .front.intake import Intake
from .front.listener import Listener
from .front.listening import Listening
from .front.poller import Poller
from .front.timing import DRAIN_IDLE_NS, SECOND_NS
from .log import bounded
from .originals import select, socket, time
from .protocol.limits import DEFAULT
from .records.access import AccessLog
from .wire.board import WORD, Board
from .wire.pulse import Pulse
from .wire.spec import Serving
from .wsgi.bodies import EMPTY_BODY
from .wsgi.caller import Caller
from .wsgi.errors import ErrorsStream
from .wsgi.files import FileWrapper
from .wsgi.observed import Observer, observe

_UNLIMITED_S = 86400.0
_LOOK_S = 0.02  # how often `wait_idle` looks; only ever called on the way out


class Server:
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
        self._words = board.words
        self.on_maximum_requests: Optional[Callable[[], None]] = None
        errors = ErrorsStream(log)
        base = self._base(settings, errors, identity)
        base.update(environ or {})
        epoll = select.epoll()
        connections = Connections(epoll, board.words, settings, clock, bounded(log))
        self.listening = Listening(
            [_listener(*item, base) for item in itertools.zip_longest(listeners, pulses)],
            epoll,
            clock,
            log,
            settings.multiprocess,
            int(identity.rpartition("/")[2] or 0),
        )
        self.listening.on_all_shut = self._all_shut
        self.listening.hold_ns = _hold_ns(settings)
        intake = Intake(DEFAULT)
        intake.tune(settings)
        self.poller = Poller(connections, self.listening, intake, board.words, clock)
        self._write_access = access_log
        self._clock = clock
        self._application = application
        self._interrupts = Interrupts()
        self._observer: Optional[Observer] = None
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

    def observe(self, observer: Observer) -> None:
        """Tell somebody of every request that begins from now on; only the first who asks. Any thread."""
        if self._observer is None:
            self._observer = observer
            self.caller.application = self._callable(self._settings)
            observe(self.caller, observer)

    def start(self) -> None:
        """Start the threads; every listener accepts when this returns. Raises RuntimeError, OSError."""
        self.listening.adjust(False)
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

    def make_way(self) -> None:
        """Leave new connections to the successor from now on, when no request thread is free. Main thread only."""
        self.listening.leaving = True
        self.poller.wake()

    def stop_accepting(self, idle_s: Optional[float] = DRAIN_IDLE_NS / SECOND_NS) -> None:
        """Leave new connections to siblings; answer what is here with `Connection: close`; wait for the idle ones.

        idle_s: for so long at most, None: until the end of keep-alive-timeout.
        """
        self.poller.stop(idle_s)

    def is_idle(self) -> bool:
        """Whether no request is active or queued; after `stop_accepting`, also whether every connection is closed."""
        if self.crew.busy:
            return False
        connections = self.poller.connections
        return not connections.stopping or (self.listening.stopped and not connections.open)

    def wait_idle(self, timeout_s: Optional[float]) -> bool:
        """Wait until `is_idle`, at most `timeout_s`; returns it."""
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.is_idle():
            if until_s is not None and time.monotonic() >= until_s:
                return False
            time.sleep(_LOOK_S)
        return True

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
        self.crew.waiting.tune(settings)
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
        """Method, target and age in seconds of each request that is in the application now, the oldest first."""
        return self.crew.threads.in_flight()

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
