"""health-path: what the application has to answer inside its process, and what is said when it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from wsgigroups.runtime.daemon import health
from wsgigroups.runtime.daemon.failure import StepError
from wsgigroups.runtime.wire.exits import STEPS
from wsgigroups.runtime.wire.spec import Health, Serving

Answer = Callable[..., Any]


def answering(status: str, seen: list[dict[str, Any]] | None = None) -> Answer:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if seen is not None:
            seen.append(environ)
        start_response(status, [("Content-Type", "text/plain")])
        return [b"fine"]

    return application


def test_the_application_is_asked_as_a_server_asks_it() -> None:
    seen: list[dict[str, Any]] = []
    asked = Health("/a%20b/health?deep=1", host="blog.example.org")
    health.check(asked, Serving(threads=4, multiprocess=True), validator(answering("200 OK", seen)))
    (environ,) = seen
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a b/health", "deep=1")
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"]) == ("blog.example.org", "blog.example.org")
    assert (environ["wsgi.multithread"], environ["wsgi.multiprocess"]) == (True, True)


@pytest.mark.parametrize(
    ("status", "wanted", "passes"),
    [
        ("200 OK", 0, True),
        ("302 Found", 0, True),
        ("404 Not Found", 0, False),
        ("500 Internal Server Error", 0, False),
        ("204 No Content", 204, True),
        ("200 OK", 204, False),
        ("503 Service Unavailable", 503, True),
    ],
)
def test_the_status_decides(status: str, wanted: int, passes: bool) -> None:
    asked = Health("/health", status=wanted)
    if passes:
        health.check(asked, Serving(), answering(status))
        return
    with pytest.raises(StepError, match=f"cannot join: GET /health was answered with {status}") as caught:
        health.check(asked, Serving(), answering(status))
    assert caught.value.exit_code == STEPS["health"]


def test_what_it_raises_is_told_with_its_traceback() -> None:
    def application(_environ: Any, _start_response: Any) -> list[bytes]:
        raise LookupError("no database")

    with pytest.raises(StepError, match="GET /health raised LookupError: no database") as caught:
        health.check(Health("/health"), Serving(), application)
    assert "in application" in caught.value.trace


def test_an_answer_that_breaks_off_does_not_pass_and_is_closed() -> None:
    closed: list[bool] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"half"
            raise OSError("gone")

        def close(self) -> None:
            closed.append(True)

    def application(_environ: Any, start_response: Any) -> Body:
        start_response("200 OK", [])
        return Body()

    with pytest.raises(StepError, match="raised OSError: gone"):
        health.check(Health("/health"), Serving(), application)
    assert closed == [True]


def test_leaving_and_saying_nothing_do_not_pass() -> None:
    def leaving(_environ: Any, _start_response: Any) -> list[bytes]:
        raise SystemExit(3)

    with pytest.raises(StepError, match="raised SystemExit: 3"):
        health.check(Health("/health"), Serving(), leaving)
    with pytest.raises(StepError, match="without a status"):
        health.check(Health("/health"), Serving(), lambda _environ, _start: [b""])


def test_it_is_not_waited_for_longer_than_the_timeout() -> None:
    gate = threading.Event()

    def application(_environ: Any, _start_response: Any) -> list[bytes]:
        gate.wait()
        return []

    try:
        with pytest.raises(StepError, match=r"GET /health was not answered within 0\.01 s"):
            health.check(Health("/health", timeout_s=0.01), Serving(), application)
    finally:
        gate.set()
