"""Spans of OpenTelemetry for each request: the whole of it, its time in the queue, in the application, on its way.

There is none of this unless the group asks for it (`tracing`) and its environment has `opentelemetry`, whose provider
is the application's to set up, by its own code or by the variables that the SDK reads. Runs in request threads, outside
of the application's own code. The names of attributes are those of OpenTelemetry's semantic conventions for HTTP.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Optional

from ..log import Log
from ..originals import time
from ..wsgi.caller import Application
from ..wsgi.observed import ObservedCall, Observer

_CARRIED = (("traceparent", "HTTP_TRACEPARENT"), ("tracestate", "HTTP_TRACESTATE"), ("baggage", "HTTP_BAGGAGE"))


def spans(group: str, slot: int, log: Log) -> Optional["Spans"]:
    """Return an observer; None, and a line in the log, where opentelemetry cannot be imported."""
    try:
        return Spans(group, slot, log)
    except ImportError as error:
        log("warning", "tracing: there are no spans, opentelemetry cannot be imported: %s" % error)
        return None


class _Open:
    """The spans of one request. Wall-clock nanoseconds since the epoch, as OpenTelemetry has them."""

    __slots__ = ("application", "context", "token", "whole")

    def __init__(self, whole: Any, context: Any, application: Any, token: Any) -> None:
        self.whole = whole
        self.context = context
        self.application = application
        self.token = token


class Spans(Observer):
    """Makes them. A failure of the library's costs the spans of that request, and is told once."""

    def __init__(self, group: str, slot: int, log: Log) -> None:
        """Raises ImportError."""
        self._trace: Any = importlib.import_module("opentelemetry.trace")
        self._context: Any = importlib.import_module("opentelemetry.context")
        self._propagate: Any = importlib.import_module("opentelemetry.propagate")
        self._tracer: Any = self._trace.get_tracer("wsgigroups")
        self._known: Dict[str, Any] = {"wsgigroups.group": group, "wsgigroups.slot": slot}
        self._log = log
        self._told = False

    def _safely(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, the request goes on
            if not self._told:
                self._told = True
                self._log("warning", "tracing: a span cannot be made, and it is not said again: %r" % error)

    def starts(self, call: ObservedCall, application: Application) -> Application:
        """Begin the spans; those that the application makes are below that of its call."""
        self._safely(lambda: self._begin(call))
        return application

    def _begin(self, call: ObservedCall) -> None:
        environ, exchange = call.head.environ, call.exchange
        carrier = {name: environ[key] for name, key in _CARRIED if isinstance(environ.get(key), str)}
        began_ns = time.time_ns() - max(0, time.monotonic_ns() - call.start_ns)
        queued_from_ns, queued_ns = (0, 0) if exchange is None else exchange.connection.queued
        if queued_from_ns != call.start_ns:
            queued_ns = 0
        trace = self._trace
        whole = self._tracer.start_span(
            call.head.method,
            context=self._propagate.extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes=dict(self._known, **_attributes(call)),
            start_time=began_ns - queued_ns,
        )
        context = trace.set_span_in_context(whole)
        if queued_ns:
            self._tracer.start_span("queue", context=context, start_time=began_ns - queued_ns).end(began_ns)
        inner = self._tracer.start_span("application", context=context, start_time=began_ns)
        token = self._context.attach(trace.set_span_in_context(inner, context))
        call.spans = _Open(whole, context, inner, token)

    def responds(self, call: ObservedCall, status: Any, headers: Any, exc_info: Any) -> None:
        """Nothing: the status is known at the end."""

    def fails(self, call: ObservedCall, error: BaseException) -> None:
        """Have the span of the call say what was raised."""
        found = call.spans
        if found is not None:
            self._safely(lambda: found.application.record_exception(error))

    def ends(self, call: ObservedCall) -> None:
        """End the spans."""
        found = call.spans
        if found is not None:
            call.spans = None
            self._safely(lambda: self._end(call, found))

    def _end(self, call: ObservedCall, found: _Open) -> None:
        exchange = call.exchange
        self._context.detach(found.token)
        end_ns = time.time_ns()
        code, stalled_ns = (0, 0) if exchange is None else (exchange.prepared.code, exchange.stalled_ns)
        found.application.end(end_ns - stalled_ns)
        if stalled_ns:  # the sum of its waits for the client, which may have been spread over the call
            self._tracer.start_span("send", context=found.context, start_time=end_ns - stalled_ns).end(end_ns)
        if code:
            found.whole.set_attribute("http.response.status_code", code)
        if code >= 500:
            found.whole.set_status(self._trace.StatusCode.ERROR)
        found.whole.end(end_ns)


def _attributes(call: ObservedCall) -> Dict[str, Any]:
    environ = call.head.environ
    found = {
        "http.request.method": call.head.method,
        "url.path": "%s%s" % (environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")),
        "url.scheme": environ.get("wsgi.url_scheme", "http"),
        "server.address": environ.get("SERVER_NAME", ""),
        "client.address": environ.get("REMOTE_ADDR", ""),
        "user_agent.original": environ.get("HTTP_USER_AGENT", ""),
        "wsgigroups.request_id": call.head.name,
    }
    return {name: value for name, value in found.items() if value}
