"""StatsD and OpenTelemetry are told: by their own libraries, of which what arrives is read back."""

from __future__ import annotations

import gzip
import http.server
import socket
import sys
import threading
from typing import Any, cast

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from wsgigroups.manager.observing.push import OTLP, STATSD, Otlp, Pusher, Statsd
from wsgigroups.metrics.points import Point


def of_blog(requests: float, ready: float) -> list[Point]:
    labels = (("group", "blog"),)
    return [
        Point("wsgigroups_requests", "answers", "", True, (*labels, ("status", "2xx")), requests),
        Point("wsgigroups_processes_ready", "ready ones", "", False, labels, ready),
    ]


def test_statsd_gets_levels_and_what_counters_have_grown_by() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        service = Statsd(f"127.0.0.1:{server.getsockname()[1]}")
        service.send(of_blog(100, 2))
        assert server.recv(9000) == b"wsgigroups.blog.processes_ready:2|g"
        service.send(of_blog(103, 1))
        assert server.recv(9000) == b"wsgigroups.blog.requests.2xx:3|c\nwsgigroups.blog.processes_ready:1|g"
        service.close()


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    got: list[Any]
    status = 200

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        self.got.append(ExportMetricsServiceRequest.FromString(data))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_what: Any) -> None:
        """Say nothing."""


def numbers(request: Any) -> dict[str, tuple[float, dict[str, str]]]:
    """Name → value and attributes of the last point."""
    found = {}
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        data = metric.sum if metric.HasField("sum") else metric.gauge
        point = data.data_points[0]
        value = point.as_int if point.HasField("as_int") else point.as_double
        found[metric.name] = value, {each.key: each.value.string_value for each in point.attributes}
    return found


def test_opentelemetry_gets_numbers_with_their_labels() -> None:
    handler = type("_Collector", (Collector,), {"got": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            service = Otlp(f"http://127.0.0.1:{server.server_address[1]}/v1/metrics")
            service.send(of_blog(100, 2))
            service.send(of_blog(103, 1))
            service.close()
        finally:
            server.shutdown()
            thread.join()
    first, second = (numbers(request) for request in cast("Any", handler).got)
    assert first["wsgigroups_requests"] == (100, {"group": "blog", "status": "2xx"})
    assert second["wsgigroups_requests"][0] == 103
    assert second["wsgigroups_processes_ready"] == (1, {"group": "blog"})
    attributes = cast("Any", handler).got[0].resource_metrics[0].resource.attributes
    assert ("service.name", "wsgigroups") in {(each.key, each.value.string_value) for each in attributes}
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("Otel")]


def test_a_missing_library_and_a_service_that_fails_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    pusher = Pusher(cast("Any", None), 0.0, lambda _level, text: logged.append(text))
    monkeypatch.setitem(sys.modules, "statsd", None)
    for _ in range(3):
        pusher._tell((STATSD, "127.0.0.1:1"), of_blog(1, 1))
    assert len(logged) == 1
    assert "wsgigroups[statsd]" in logged[0]
    logged.clear()
    monkeypatch.setattr(Otlp, "send", lambda *_: 1 / 0)
    for _ in range(3):
        pusher._tell((OTLP, "http://127.0.0.1:1/"), of_blog(1, 1))
    assert len(logged) == 1
    pusher.close()
