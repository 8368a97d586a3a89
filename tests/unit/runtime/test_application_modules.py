"""wsgigroups_daemon, mod_wsgi and apache: what they have, and where they are found. The server is the test's own."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest
from support.serving import Running, receive_response, serving

from wsgigroups.runtime.application import modules
from wsgigroups.runtime.application.here import Here
from wsgigroups.runtime.wire.spec import Serving, Spec
from wsgigroups.runtime.wsgi.interrupted import RequestTimeout

NAMES = (modules.OWN, "mod_wsgi", "apache")


class Log:
    """What was logged."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str]] = []

    def __call__(self, level: str, text: str) -> None:
        self.records.append((level, text))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def here(log: Log) -> Here:
    return Here(Spec("blog", 2, 7, "f", "t", (), Serving(threads=3), {}, (), processes=4), log)


class Elsewhere:
    """Finds what PathFinder does, without a package of that name in the tests' environment: it would be completed."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        found = PathFinder.find_spec(name, path, target)
        if name == "mod_wsgi" and found and found.origin and Path(found.origin).with_name("telemetry").exists():
            return None
        return found


@pytest.fixture
def installed(here: Here, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """The modules can be imported."""
    for name in list(sys.modules):  # what another test has imported of the package below
        if name.partition(".")[0] in NAMES:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Elsewhere if item is PathFinder else item for item in sys.meta_path])
    modules.install(here)
    yield here
    for name in NAMES:
        sys.modules.pop(name, None)


def imported(name: str) -> Any:
    return importlib.import_module(name)


@contextmanager
def served(here: Here, application: Callable[..., Any], **settings: Any) -> Iterator[Running]:
    with serving(application, **settings) as running:
        here.attach(running.server)
        yield running


def ask(running: Running, path: str = "/") -> bytes:
    with running.connect() as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        return receive_response(sock)[2]


def answer(start_response: Any, text: str) -> list[bytes]:
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text.encode()]


def test_nothing_is_there_before_it_is_asked_for(installed: Here) -> None:
    assert not [name for name in NAMES if name in sys.modules]


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (modules.OWN, "group", "blog"),
        (modules.OWN, "slot", 2),
        (modules.OWN, "threads", 3),
        (modules.OWN, "RequestTimeout", RequestTimeout),
        (modules.OWN, "active_requests", {}),
        (modules.OWN, "shutdown_reason", ""),
        ("mod_wsgi", "version", (5, 0, 2)),
        ("mod_wsgi", "process_group", "blog"),
        ("mod_wsgi", "application_group", ""),
        ("mod_wsgi", "maximum_processes", 4),
        ("mod_wsgi", "threads_per_process", 3),
        ("mod_wsgi", "active_requests", {}),
        ("mod_wsgi", "event_callbacks", []),
        ("mod_wsgi", "shutdown_callbacks", []),
        ("mod_wsgi", "signal_callbacks", []),
        ("apache", "version", (2, 4, 0)),
        ("apache", "maximum_processes", 4),
        ("apache", "threads_per_process", 3),
        ("apache", "build_date", ""),
    ],
)
def test_values(installed: Here, module: str, name: str, value: object) -> None:
    assert getattr(imported(module), name) == value
    assert name in imported(module).__all__


def test_what_is_not_there(installed: Here) -> None:
    with pytest.raises(AttributeError, match="module 'mod_wsgi' has no attribute 'x'"):
        _ = imported("mod_wsgi").x
    with pytest.raises(ImportError):
        imported("mod_wsgi.server")
    assert imported("mod_wsgi").server_metrics() is None
    assert imported("mod_wsgi").start_recording_metrics() is None


@pytest.mark.parametrize("name", NAMES)
def test_from_import_of_everything(installed: Here, name: str) -> None:
    found: dict[str, Any] = {}
    module = imported(name)
    for item in module.__all__:
        found[item] = getattr(module, item)
    assert found


def test_a_package_of_the_environment_gets_the_names_that_it_lacks(
    installed: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mod_wsgi"
    package.mkdir()
    (package / "__init__.py").write_text("version = 'its own'\n")
    (package / "server.py").write_text("found = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert imported("mod_wsgi.server").found
    found = imported("mod_wsgi")
    assert (found.version, found.process_group, found.active_requests) == ("its own", "blog", {})
    assert found.__file__ == str(package / "__init__.py")
    sys.modules.pop("mod_wsgi.server")


def test_a_module_apache_of_the_application_is_its_own(
    installed: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apache.py").write_text("mine = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert imported("apache").mine
    assert not hasattr(imported("apache"), "mpm_name")


def test_records_keep_their_level(installed: Here, log: Log) -> None:
    logger = logging.getLogger("of this test")
    handler = imported("mod_wsgi").LogHandler()
    assert type(handler) is imported("mod_wsgi").LogHandler
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    try:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            logger.log(level, "at %d", level)
        logger.error("%d", "no number")
    finally:
        logger.removeHandler(handler)
    expected = [("debug", 10), ("info", 20), ("warning", 30), ("error", 40), ("error", 50)]
    assert log.records[:5] == [(word, f"at {level}") for word, level in expected]
    assert "a record cannot be logged" in log.records[5][1]


def test_data_belongs_to_one_request(here: Here) -> None:
    seen: list[dict[Any, Any]] = []

    def application(_environ: Any, start_response: Any) -> Iterator[bytes]:
        data = here.request_data()
        seen.append(dict(data))
        data["x"] = 1
        start_response("200 OK", [("Content-Length", "1")])
        yield str(here.request_data()["x"]).encode()

    with served(here, application) as running:
        assert [ask(running), ask(running)] == [b"1", b"1"]
    assert seen == [{}, {}]


def test_no_data_outside_of_a_request(here: Here) -> None:
    failed: list[str] = []

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        def elsewhere() -> None:
            try:
                here.request_data()
            except RuntimeError as error:
                failed.append(str(error))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return answer(start_response, "x")

    with pytest.raises(RuntimeError):
        here.request_data()
    with served(here, application) as running:
        ask(running)
        with pytest.raises(RuntimeError):
            here.request_data()
    assert failed == ["no request runs in this thread"]


def test_active_requests_and_figures(here: Here) -> None:
    inside, leave = threading.Semaphore(0), threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        here.request_data()["path"] = environ["PATH_INFO"]
        if environ["PATH_INFO"] != "/":
            inside.release()
            leave.wait(20)
        return answer(start_response, "four")

    with served(here, application, threads=3) as running:
        assert (ask(running), ask(running)) == (b"four", b"four")
        running.wait(lambda: here.process_metrics()["request_count"] == 2)
        socks = [running.connect() for _ in range(2)]
        for number, sock in enumerate(socks):
            sock.sendall(f"GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert inside.acquire(timeout=20)
        active = here.active_requests()
        assert sorted(data["path"] for data in active.values()) == ["/0", "/1"]
        assert all(name.startswith("test-1-") for name in active)
        process, window = here.process_metrics(), here.request_metrics()
        assert (process["pid"], process["request_count"], process["active_requests"]) == (os.getpid(), 2, 2)
        assert process["request_busy_time"] > 0
        assert process["memory_rss"] > 2**20
        assert sum(item["request_count"] for item in process["threads"]) == 2
        assert (window["request_count"], window["status_2xx"], window["status_5xx"]) == (2, 2, 0)
        assert (window["request_threads_maximum"], window["request_threads_active"]) == (3, 2)
        assert 0 < window["capacity_utilization"] <= 1
        leave.set()
        for sock in socks:
            assert receive_response(sock)[2] == b"four"
            sock.close()
        running.wait(lambda: here.active_requests() == {})
        running.wait(lambda: here.process_metrics()["request_count"] == 4)
        again = here.request_metrics()
        assert (again["request_count"], again["start_time"]) == (2, window["stop_time"])
        assert again["output_bytes"] > 8


def test_events_of_a_request_in_their_order(here: Here) -> None:
    events: list[tuple[str, dict[str, Any]]] = []

    def told(name: str, **event: Any) -> dict[str, Any] | None:
        events.append((name, event))
        event["request_data"].setdefault("names", []).append(name)
        return {"mine": 5} if name == "request_started" else None

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise ValueError("no")
        return answer(start_response, "hello")

    def broken(_name: str, **_event: Any) -> None:
        raise ValueError("of a subscriber")

    here.subscribe_events(broken)
    here.subscribe_events(told)
    last: list[dict[str, Any]] = []
    here.subscribe_events(lambda _name, **event: last.append(event))
    with served(here, application) as running:
        assert ask(running) == b"hello"
        ask(running, "/fail")
        running.wait(lambda: len(events) == 6)
    first, second = events[:3], events[3:]
    assert [name for name, _event in first] == ["request_started", "response_started", "request_finished"]
    assert [name for name, _event in second] == ["request_started", "request_exception", "request_finished"]
    assert len({event["request_id"] for _name, event in first}) == 1
    assert first[0][1]["request_id"] != second[0][1]["request_id"]
    assert first[0][1]["request_environ"]["PATH_INFO"] == "/"
    assert first[0][1]["thread_id"] == 0
    assert (first[1][1]["response_status"], first[1][1]["exception_info"]) == ("200 OK", None)
    assert (first[2][1]["status"], first[2][1]["output_length"], second[2][1]["status"]) == (200, 5, 500)
    assert first[2][1]["application_time"] >= 0
    assert second[1][1]["exception_info"][0] is ValueError
    assert first[2][1]["request_data"]["names"] == ["request_started", "response_started", "request_finished"]
    assert last[0]["mine"] == 5  # what one returns is for those after it


def test_a_subscriber_can_put_another_application_there(here: Here) -> None:
    def around(name: str, **event: Any) -> dict[str, Any]:
        if name != "request_started":
            return {}
        inner = event["application_object"]

        def outer(environ: Any, start_response: Any) -> list[bytes]:
            assert b"".join(inner(environ, lambda *_: None)) == b"inner"
            return answer(start_response, "outer")

        return {"application_object": outer}

    with served(here, lambda _environ, start_response: answer(start_response, "inner")) as running:
        assert ask(running) == b"inner"
        here.subscribe_events(around)  # while it serves
        assert ask(running) == b"outer"


def test_events_where_requests_can_be_interrupted(here: Here) -> None:
    names: list[str] = []
    here.subscribe_events(lambda name, **_event: names.append(name))
    with served(here, lambda _environ, start_response: answer(start_response, "x"), interruptible=True) as running:
        running.server.tune({"keep_alive_timeout_s": 7.0, "interruptible": False})
        running.server.tune({"interruptible": True})
        assert ask(running) == b"x"
        running.wait(lambda: names == ["request_started", "response_started", "request_finished"])


def test_no_events_of_what_never_reached_the_application(here: Here) -> None:
    names: list[str] = []
    here.subscribe_events(lambda name, **_event: names.append(name))
    with served(here, lambda _environ, start_response: answer(start_response, "x"), limit_request_body=1) as running:
        asked = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
        assert running.exchange(asked).startswith(b"HTTP/1.1 413 ")
    assert names == []


def test_the_end_is_told_in_the_words_of_mod_wsgi(here: Here, log: Log) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    here.subscribe_events(lambda name, **event: told.append((name, event)))
    here.shutdown.add(lambda name, **event: told.append((name, event)))
    here.shutdown_reason = "script-reloading"
    here.stopping()
    assert told == [("process_stopping", {"shutdown_reason": "script_reload"})] * 2
    here.signalled("SIGHUP", 1)
    here.signals.add(lambda name, **event: told.append((name, event)))
    here.signalled("SIGUSR2", 12)
    assert told[2:] == [("process_signal", {"signame": "SIGUSR2", "signum": 12})]
    assert log.records == []


def test_what_cannot_be_called_is_refused(here: Here) -> None:
    with pytest.raises(TypeError):
        here.subscribe_events(5)  # type: ignore[arg-type]


def test_decorators(here: Here) -> None:
    def function(_name: str, **_event: Any) -> None:
        """Nothing."""

    assert here.subscribe_events(function) is here.shutdown.add(function) is here.signals.add(function) is function


def test_modules_are_modules(here: Here) -> None:
    assert all(isinstance(made(here), types.ModuleType) for made in (modules.own, modules.mod_wsgi, modules.apache))
