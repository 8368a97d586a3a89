"""A Caller that tells somebody of each request. There is none of this until somebody asks: see `observe`.

Runs in request threads. The application is called through `Observer.around`, so that what starts an answer is seen;
what the observer does is outside of what a RequestTimeout can come up in.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from ..front.connection import Connection
from ..originals import local
from ..protocol.heads import Head
from ..records.tally import Tally
from .caller import Application, Caller
from .exchange import Exchange


class ObservedCall:
    """One request, while it is answered."""

    __slots__ = ("begun", "exchange", "head", "spans", "start_ns")

    def __init__(self, head: Head, start_ns: int) -> None:
        self.head = head
        self.start_ns = start_ns  # monotonic: when a thread took it
        self.exchange: Optional[Exchange] = None  # None: the application has not been called
        self.begun: Any = None  # of observers, each its own
        self.spans: Any = None


class Observer:
    """Whoever is told. No method may raise."""

    def starts(self, call: ObservedCall, application: Application) -> Application:
        """The application is about to be called; returns what is called instead."""
        raise NotImplementedError

    def responds(self, call: ObservedCall, status: Any, headers: Any, exc_info: Any) -> None:
        """It has called start_response, with whatever."""
        raise NotImplementedError

    def fails(self, call: ObservedCall, error: BaseException) -> None:
        """It has raised."""
        raise NotImplementedError

    def ends(self, call: ObservedCall) -> None:
        """Its answer has been closed, and sent as far as that was possible."""
        raise NotImplementedError

    def around(self, application: Application) -> Application:
        """Return the application that an ObservedCaller is to call."""

        def observed(environ: Any, start_response: Any) -> Any:
            call: Optional[ObservedCall] = getattr(_running, "call", None)
            if call is None:  # it began before anybody observed
                return application(environ, start_response)
            call.exchange = start_response.__self__

            def responding(status: Any, headers: Any, exc_info: Any = None) -> Callable[..., None]:
                self.responds(call, status, headers, exc_info)
                write: Callable[..., None] = start_response(status, headers, exc_info)
                return write

            return self.starts(call, application)(environ, responding)

        return observed


class Observers(Observer):
    """Several, in their order."""

    def __init__(self, *observers: Observer) -> None:
        self.all = observers

    def starts(self, call: ObservedCall, application: Application) -> Application:
        for observer in self.all:
            application = observer.starts(call, application)
        return application

    def responds(self, call: ObservedCall, status: Any, headers: Any, exc_info: Any) -> None:
        for observer in self.all:
            observer.responds(call, status, headers, exc_info)

    def fails(self, call: ObservedCall, error: BaseException) -> None:
        for observer in self.all:
            observer.fails(call, error)

    def ends(self, call: ObservedCall) -> None:
        for observer in self.all:
            observer.ends(call)


_running = local()


class ObservedCaller(Caller):
    """What `observe` makes of a Caller."""

    observer: Observer

    def answer(self, connection: Connection, start_ns: int, tally: Tally, brief: bool = False) -> int:
        """As Caller.answer."""
        head: Head = connection.head  # type: ignore[assignment]  # as there
        _running.call = call = ObservedCall(head, start_ns)
        try:
            return super().answer(connection, start_ns, tally, brief)
        finally:
            _running.call = None
            if call.exchange is not None:
                self.observer.ends(call)

    def _failed(self, exchange: Exchange, error: BaseException) -> bool:
        call: Optional[ObservedCall] = getattr(_running, "call", None)
        if call is not None and not self.stranger:
            self.observer.fails(call, error)
        return super()._failed(exchange, error)


def observe(caller: Caller, observer: Observer) -> None:
    """Have an observer be told of every request that begins from now on.

    The caller stays the same object, since many know it, and gets another class: a Caller that could be observed would
    cost each request something for those that are not.
    """
    caller.__class__ = ObservedCaller
    assert isinstance(caller, ObservedCaller)
    caller.observer = observer
