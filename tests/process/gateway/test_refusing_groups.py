"""What a gateway says of a group that does not answer, and what it counts of it for a site."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

import pytest
from support import corpus
from support.gated import Gated, pass_time, waiting
from support.gateway import FakeDaemon, answering, gateway, routes_to
from support.serving import Clock, receive_all, serving

from wsgigroups.manager.supervision.site_pages import SitePages
from wsgigroups.runtime.gateway.table import RoutesError
from wsgigroups.runtime.wire.routes import Link

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TRUSTED = {"unix": True, "trusted_proxies": ("unix",)}
PAGES = {503: "<h1>Busy</h1>", 504: "<h1>Late</h1>"}


def test_a_stopped_group_is_503_at_once_and_is_asked_as_soon_as_somebody_listens() -> None:
    with FakeDaemon(answering(OK)) as daemon:
        found = routes_to(replace(daemon.link, connect_timeout_s=1000.0), error_pages={503: "<h1>Closed</h1>"})
        stopped = replace(found, stopped=frozenset(("app",)))
        moved = f"{daemon.path}-not"
        with gateway(found) as front, front.connect() as waiting:
            os.rename(daemon.path, moved)
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            front.wait(lambda: len(front.server.requests_in_flight()) == 1)
            front.server.route(stopped)
            for answer in (receive_all(waiting), front.get()):  # who waits already is told, too
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert answer.endswith(b"<h1>Closed</h1>")
            os.rename(moved, daemon.path)
            assert front.get().endswith(b"ok"), "nobody need have said so yet"


def test_each_request_is_counted_for_its_site() -> None:
    pages = SitePages()
    with FakeDaemon(answering(OK)) as daemon, gateway(routes_to(daemon.link)) as front:
        front.get()
        front.server.route(routes_to(daemon.link), counts=pages.make(["localhost"]))
        for _ in range(3):
            front.get()
        front.wait(lambda: pages.read() == {"localhost": 4})
        with pytest.raises(RoutesError, match="cannot be counted"):
            front.server.route(routes_to(daemon.link), counts=0)
        front.get()
        front.wait(lambda: pages.read() == {"localhost": 5})
    pages.close()


def test_who_has_waited_too_long_for_a_thread_gets_the_page_of_the_site() -> None:
    app, clock = Gated(), Clock()
    with (
        serving(app, threads=1, queue_timeout_s=30.0, clock=clock, **TRUSTED) as daemon,
        gateway(routes_to(Link(daemon.address), error_pages=PAGES)) as front,
        waiting(daemon, app, 1),
    ):
        for method in (b"GET", b"HEAD"):
            with front.connect() as sock:
                sock.sendall(method + b" / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                daemon.wait_word("requests_queued", 1)
                pass_time(daemon, clock, 60.0)
                answer = receive_all(sock)
            assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
            assert b"refused" not in answer, "that is between the two"
            assert answer.partition(b"\r\n\r\n")[2] == (b"<h1>Late</h1>" if method == b"GET" else b"")
        assert any("queue-timeout" in text for _level, text in front.logged)
        app.open(1)


def test_what_an_application_says_is_never_replaced() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        fields = [("Content-Type", "text/plain"), ("Content-Length", "4"), ("Connection", "refused")]
        start_response(environ["PATH_INFO"][1:] + " Mine", fields)
        return [b"mine"]

    with (
        serving(app, **TRUSTED) as daemon,
        gateway(routes_to(Link(daemon.address), error_pages={**PAGES, 500: "<h1>Broken</h1>"})) as front,
    ):
        for status in ("500", "503", "504"):
            answer = front.get("/" + status)
            assert answer.startswith(b"HTTP/1.1 %b Mine\r\n" % status.encode())
            assert answer.endswith(b"\r\n\r\nmine")


def never(_environ: Any, _start_response: Any) -> list[bytes]:
    raise AssertionError("it was called")


def test_only_a_gateway_of_ours_is_told_who_refuses() -> None:
    with serving(never, queue_timeout_s=30.0, **TRUSTED) as daemon:
        late = (time.time() - 60) * 1e6
        for fields, told in (({"WSGIGROUPS_FRAMING": "chunked"}, True), ({}, False)):
            stamp = ("WSGIGROUPS_QUEUE_START", f"{late:.0f}")
            answer = daemon.exchange(corpus.uwsgi(stamp, *fields.items()))
            assert answer.startswith(b"HTTP/1.1 504 ")
            assert (b"\r\nConnection: close, refused\r\n" in answer) is told
