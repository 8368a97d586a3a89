"""What this process is, for its application: one object, filled on the way up, asked by any thread."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from ..log import Log
from ..originals import time
from ..records.tally import ThreadCounts
from ..wire.spec import Spec
from . import figures
from .request_events import RequestEvents
from .subscribers import Callback, Subscribers

if TYPE_CHECKING:
    from ..protocol.heads import Head
    from ..server import Server


class Here:
    """`server` comes when the application has been imported; until then there are no requests."""

    def __init__(self, spec: Spec, log: Log) -> None:
        self.group = spec.group
        self.threads = spec.serving.threads
        self.processes = spec.processes
        self.shutdown_reason = ""  # why the process leaves, once it does
        self.log = log
        self.events = Subscribers(log)
        self.shutdown = Subscribers(log)
        self.signals = Subscribers(log)
        self._server: Optional["Server"] = None
        self._numbers = itertools.count(1)
        self.begin(spec)

    def begin(self, spec: Spec) -> None:
        """Be this life's; who has subscribed stays."""
        self.slot = spec.slot
        self.life = spec.life
        self.began_s = time.time()
        self.began_ns = time.monotonic_ns()
        self._window = figures.Window(self.began_ns, self.began_s)

    def attach(self, server: "Server") -> None:
        """Requests will come. Main thread, before the server starts."""
        self._server = server
        if self.events.callbacks:
            self._observe()

    def subscribe_events(self, callback: Callback) -> Callback:
        """Call it for each event of each request that begins from now on, and at the end of the process."""
        self.events.add(callback)
        self._observe()
        return callback

    def _observe(self) -> None:
        if self._server is not None:
            self._server.observe(RequestEvents(self))

    # Requests

    def request_data(self) -> Dict[Any, Any]:
        """Return the dict that belongs to the request of this thread. Raises RuntimeError outside of a request."""
        head = None if self._server is None else self._server.crew.threads.current_head()
        if head is None:
            raise RuntimeError("no request runs in this thread")
        return self.data_of(head)

    def request_id(self) -> str:
        """Return the id of the request that the calling thread runs; "" if it runs none, or none with an id."""
        head = None if self._server is None else self._server.crew.threads.current_head()
        return head.name if head is not None else ""

    def active_requests(self) -> Dict[str, Dict[Any, Any]]:
        """Return the data of each request that is in the application, by the request's id."""
        if self._server is None:
            return {}
        return {self.id_of(head): self.data_of(head) for head in self._server.crew.threads.heads()}

    def id_of(self, head: "Head") -> str:
        """Return what names the request, in this process and beyond: the same to all threads that ask."""
        if not head.name:
            vars(head).setdefault("name", "%s/%d-%d-%d" % (self.group, self.slot, self.life, next(self._numbers)))
        return head.name

    @staticmethod
    def data_of(head: "Head") -> Dict[Any, Any]:
        """Return the dict that belongs to the request: the same to all threads that ask."""
        if head.data is None:
            vars(head).setdefault("data", {})
        data: Dict[Any, Any] = head.data  # type: ignore[assignment]  # since just now
        return data

    def thread_number(self) -> int:
        """Return which request thread this is, from 0 on; -1 if it is none."""
        return -1 if self._server is None else self._server.crew.threads.current_number()

    # Figures

    def process_metrics(self) -> Dict[str, Any]:
        """Return what this process has done since its start."""
        return figures.of_process(self._work(), self.began_s, self.began_ns)

    def request_metrics(self) -> Dict[str, Any]:
        """Return what it has done since the last call of this: there can be one reader in a process."""
        return self._window.read(self._work(), self.threads)

    def _work(self) -> List[ThreadCounts]:
        return [] if self._server is None else self._server.crew.threads.work()

    # The end

    def stopping(self) -> None:
        """Tell everybody who has subscribed. A thread of its own, once."""
        reason = self.shutdown_reason
        event = {"shutdown_reason": figures.SHUTDOWN_REASONS.get(reason, reason.replace("-", "_"))}
        self.events.publish("process_stopping", dict(event))
        self.shutdown.publish("process_stopping", dict(event))

    def signalled(self, name: str, number: int) -> None:
        """Tell of a signal that is the application's. A thread of its own."""
        self.signals.publish("process_signal", {"signame": name, "signum": number})

    @property
    def wants_to_know(self) -> bool:
        """Whether anybody has subscribed to the end of the process."""
        return bool(self.events.callbacks or self.shutdown.callbacks)
