"""The events of a request, as mod_wsgi names them. Runs in request threads, outside of the application's own code."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any, Dict, NamedTuple

from ..originals import os, time
from ..wsgi.caller import Application
from ..wsgi.observed import ObservedCall, Observer

if TYPE_CHECKING:
    from .here import Here


class _Begun(NamedTuple):
    """When a request began: seconds since the epoch, monotonic nanoseconds, seconds of CPU of this thread."""

    s: float
    ns: int
    user_s: float
    system_s: float


class RequestEvents(Observer):
    """Publishes request_started, response_started, request_exception and request_finished."""

    def __init__(self, here: "Here") -> None:
        self._here = here

    def _event(self, call: ObservedCall, **more: Any) -> Dict[str, Any]:
        here = self._here
        return dict(more, request_id=here.id_of(call.head), request_data=here.data_of(call.head))

    def starts(self, call: ObservedCall, application: Application) -> Application:
        """Publish request_started; a subscriber may put another application in the place of this one."""
        used = resource.getrusage(resource.RUSAGE_THREAD)
        call.begun = begun = _Begun(time.time(), time.monotonic_ns(), used.ru_utime, used.ru_stime)
        environ = call.head.environ
        event = self._event(
            call,
            thread_id=self._here.thread_number(),
            server_pid=os.getpid(),
            **_moments(begun),
            application_start=begun.s,
            application_object=application,
            callable_object=environ.get("mod_wsgi.callable_object", "application"),
            request_environ=environ,
        )
        found: Application = self._here.events.publish("request_started", event)["application_object"]
        return found

    def responds(self, call: ObservedCall, status: Any, headers: Any, exc_info: Any) -> None:
        """Publish response_started, before anything is checked."""
        event = self._event(call, response_status=status, response_headers=headers, exception_info=exc_info)
        self._here.events.publish("response_started", event)

    def fails(self, call: ObservedCall, error: BaseException) -> None:
        """Publish request_exception."""
        event = self._event(call, exception_info=(type(error), error, error.__traceback__))
        self._here.events.publish("request_exception", event)

    def ends(self, call: ObservedCall) -> None:
        """Publish request_finished."""
        begun, exchange = call.begun, call.exchange
        if begun is None or exchange is None:
            return
        used = resource.getrusage(resource.RUSAGE_THREAD)
        user_s, system_s = used.ru_utime - begun.user_s, used.ru_stime - begun.system_s
        took_s = (time.monotonic_ns() - begun.ns) / 1e9
        event = self._event(
            call,
            thread_id=self._here.thread_number(),
            server_pid=os.getpid(),
            **_moments(begun),
            application_start=begun.s,
            application_finish=begun.s + took_s,
            application_time=took_s,
            input_length=0 if exchange.body is None else exchange.body.received_bytes,
            output_length=exchange.body_bytes,
            cpu_user_time=user_s,
            cpu_system_time=system_s,
            cpu_time=user_s + system_s,
            status=exchange.prepared.code,
        )
        self._here.events.publish("request_finished", event)


def _moments(begun: _Begun) -> Dict[str, float]:
    """What lies before the call: nobody has kept when the request came, so these are when the application was called.

    queue_start is 0, as in mod_wsgi where no proxy says it.
    """
    return {"request_start": begun.s, "queue_start": 0.0, "daemon_start": begun.s}
