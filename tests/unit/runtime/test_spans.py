"""Spans of OpenTelemetry, as its own SDK collects them, and that nothing depends on it."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.serving import Running, serving

from wsgigroups.runtime.application.spans import Spans, spans
from wsgigroups.runtime.wsgi.observed import Observer

PARENT = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """One for all: a provider can be set but once."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def application(environ: Any, start_response: Any) -> Any:
    if environ["PATH_INFO"] == "/broken":
        raise ValueError("broken")
    with trace.get_tracer("mine").start_as_current_span("mine"):
        start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def ask(running: Running, exporter: InMemorySpanExporter, path: bytes, fields: bytes = b"") -> dict[str, Any]:
    """The spans of one request, by name."""
    exporter.clear()
    running.exchange(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n")
    running.wait(lambda: any(span.name == "GET" for span in exporter.get_finished_spans()))
    return {span.name: span for span in exporter.get_finished_spans()}


def told(running: Running) -> list[str]:
    return [text for _level, text in running.logged if "tracing" in text]


def test_a_request_is_one_with_what_the_application_does_below_it(exporter: InMemorySpanExporter) -> None:
    with serving(application) as running:
        running.server.observe(Spans("blog", 2, lambda _level, _text: None))
        found = ask(running, exporter, b"/a?b=c", PARENT)
        whole, inner, mine = found["GET"], found["application"], found["mine"]
        assert format(whole.context.trace_id, "032x") == "0af7651916cd43dd8448eb211c80319c"
        assert format(whole.parent.span_id, "016x") == "b7ad6b7169203331"
        assert inner.parent.span_id == whole.context.span_id
        assert mine.parent.span_id == inner.context.span_id
        assert whole.kind is trace.SpanKind.SERVER
        assert whole.attributes["url.path"] == "/a"
        assert whole.attributes["http.response.status_code"] == 200
        assert whole.attributes["wsgigroups.request_id"].startswith("test-1-")
        assert (whole.attributes["wsgigroups.group"], whole.attributes["wsgigroups.slot"]) == ("blog", 2)
        assert whole.start_time <= inner.start_time <= mine.start_time <= mine.end_time <= whole.end_time
        assert trace.get_current_span() is trace.INVALID_SPAN
        failed = ask(running, exporter, b"/broken")
        assert failed["GET"].status.status_code is trace.StatusCode.ERROR
        assert failed["application"].events[0].name == "exception"
        assert failed["GET"].parent is None


def test_whoever_observes_first_does_not_keep_others_from_it(exporter: InMemorySpanExporter) -> None:
    class Counting(Observer):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def starts(self, call: Any, application: Any) -> Any:
            self.seen.append("starts")
            return application

        def responds(self, call: Any, status: Any, headers: Any, exc_info: Any) -> None:
            self.seen.append(status)

        def fails(self, call: Any, error: BaseException) -> None:
            self.seen.append(type(error).__name__)

        def ends(self, call: Any) -> None:
            self.seen.append("ends")

    counting = Counting()
    with serving(application) as running:
        running.server.observe(counting)
        running.server.observe(Spans("blog", 1, lambda _level, _text: None))
        running.server.observe(Counting())
        ask(running, exporter, b"/")
        ask(running, exporter, b"/broken")
        assert counting.seen == ["starts", "200 OK", "ends", "starts", "ValueError", "ends"]


def test_a_provider_that_fails_costs_no_answer_and_is_told_once(exporter: InMemorySpanExporter) -> None:
    logged: list[str] = []
    with serving(application) as running:
        observer = Spans("blog", 1, lambda _level, text: logged.append(text))
        vars(observer)["_tracer"] = None
        running.server.observe(observer)
        for _ in range(3):
            assert running.exchange(b"GET / HTTP/1.0\r\n\r\n").endswith(b"ok")
    assert len(logged) == 1
    assert "a span cannot be made" in logged[0]


def test_without_the_library_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    assert spans("blog", 1, lambda _level, text: logged.append(text)) is None
    assert "opentelemetry cannot be imported" in logged[0]
