"""What a process makes of files that are changed while it serves; and that connections can wait for a successor."""

from __future__ import annotations

import os
import select
import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.serving import HUNG_S, receive_response, serving

from wsgigroups.runtime.daemon import reloading, script
from wsgigroups.runtime.daemon.reloading import FileWatch, Freshness, ScriptWatch, Watched
from wsgigroups.runtime.front.listener import Listener

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def hello(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class Log:
    """What was logged."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, _level: str, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A script file."""
    found = tmp_path / "app.wsgi"
    found.write_text("one")
    return found


@pytest.fixture
def module(path: Path) -> Iterator[Any]:
    """The module that was loaded from it."""
    name = script.module_name(str(path))
    sys.modules[name] = types.ModuleType(name)
    yield sys.modules[name]
    del sys.modules[name]


def test_each_version_is_told_once(path: Path) -> None:
    watch = ScriptWatch(str(path), Log())
    assert not watch.changed()
    path.write_text("other")
    assert watch.changed()
    assert not watch.changed()
    path.unlink()
    assert not watch.changed()  # it is being replaced
    path.write_text("third one")
    assert watch.changed()


def test_an_older_file_is_another_one(path: Path) -> None:
    watch = ScriptWatch(str(path), Log())
    os.utime(path, (1, 1))
    assert watch.changed()


def test_reload_required_is_asked_and_told_once(path: Path, module: Any) -> None:
    asked: list[str] = []
    answer = [False]

    def reload_required(of: str) -> bool:
        asked.append(of)
        return answer[0]

    module.reload_required = reload_required
    watch = ScriptWatch(str(path), Log())
    assert not watch.changed()
    assert asked == [str(path)]
    answer[0] = True
    assert watch.changed()
    assert not watch.changed()  # as long as it says so
    answer[0] = False
    assert not watch.changed()
    answer[0] = True
    assert watch.changed()


def test_reload_required_that_fails_is_logged_and_no_reason(path: Path, module: Any) -> None:
    def reload_required(_of: str) -> bool:
        raise SystemExit("no")

    module.reload_required = reload_required
    log = Log()
    assert not ScriptWatch(str(path), log).changed()
    assert f"reload_required of {path} failed" in log.texts[0]


def test_requests_look_once_a_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = [10**12]
    monkeypatch.setattr(reloading.time, "monotonic_ns", lambda: now_ns[0])
    told: list[str] = []
    watched = Watched(ScriptWatch(str(path), Log()), hello, told.append)

    def after(seconds: float) -> int:
        now_ns[0] += int(seconds * 1e9)
        assert watched({}, lambda *_: None) == [b"hello"]
        return len(told)

    assert after(0) == 0
    path.write_text("other")
    assert after(0.5) == 0
    assert after(1.1) == 1
    assert after(1.1) == 1


def test_files_are_told_when_changed_added_or_removed(tmp_path: Path) -> None:
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)
    (below / "a.py").write_text("a")
    (below / "a.txt").write_text("a")
    told: list[str] = []
    files = FileWatch([f"{tmp_path}/src/**/*.py"], told.append)

    def look() -> list[str]:
        told.clear()
        files.look()
        return [Path(item).name for item in told]

    assert look() == []
    (below / "a.txt").write_text("other")
    assert look() == []
    (below / "a.py").write_text("other")
    assert look() == ["a.py"]
    assert look() == []
    (tmp_path / "src" / "b.py").write_text("b")
    assert look() == ["b.py"]
    (below / "a.py").unlink()
    assert look() == ["a.py"]


def test_other_patterns_are_followed_from_now_on(tmp_path: Path) -> None:
    told: list[str] = []
    files = FileWatch([], told.append)
    (tmp_path / "a").write_text("a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reloading.FileWatch, "start", lambda _self: None)
        files.follow([f"{tmp_path}/*"])
    files.look()
    assert told == []
    (tmp_path / "a").write_text("other")
    files.look()
    assert told == [f"{tmp_path}/a"]


def test_a_connection_waits_for_a_successor_until_there_will_be_none(path: Path) -> None:
    told: list[str] = []
    fresh = Freshness(told.append)
    fresh.watches.append(ScriptWatch(str(path), Log()))
    with serving(hello, connect_timeout_s=3600) as running:
        running.server.hold_for_successor(fresh.outdated)
        assert running.exchange(GET).endswith(b"hello")
        path.write_text("other")
        with running.connect() as sock:
            sock.sendall(GET)
            running.wait(lambda: running.server.listening.held)
            assert told == [str(path)]
            assert running.server.listening.anybody_waits()
            running.server.accept_again()
            assert receive_response(sock)[2] == b"hello"
        assert running.exchange(GET).endswith(b"hello")  # the same change is no reason twice


def test_how_long_connections_may_wait_is_live() -> None:
    with serving(hello, connect_timeout_s=15.0) as running:
        listening = running.server.listening
        assert listening.hold_ns == 15 * 10**9
        running.server.tune({"connect_timeout_s": 0.5})
        assert listening.hold_ns == 5 * 10**8
        running.server.tune({"connect_timeout_s": 0.0})  # no limit
        assert listening.hold_ns >= 3600 * 10**9


def test_a_connection_does_not_wait_for_ever(path: Path) -> None:
    fresh = Freshness(lambda _path: None)
    fresh.watches.append(ScriptWatch(str(path), Log()))
    with serving(hello, connect_timeout_s=0.05) as running:
        running.server.hold_for_successor(fresh.outdated)
        path.write_text("other")
        assert running.exchange(GET).endswith(b"hello")


def test_what_waits_for_a_successor_is_left_to_it_at_the_end(path: Path) -> None:
    fresh = Freshness(lambda _path: None)
    fresh.watches.append(ScriptWatch(str(path), Log()))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with serving(hello, connect_timeout_s=3600, listener=listener) as running:
            running.server.hold_for_successor(fresh.outdated)
            path.write_text("other")
            sock = running.connect()
            sock.sendall(GET)
            running.wait(lambda: running.server.listening.held)
            running.server.stop_accepting(0.0)
            running.wait(running.server.is_idle)
        listener.settimeout(HUNG_S)
        with sock, listener.accept()[0] as taken:  # the test is the successor
            assert taken.recv(1000) == GET


def test_the_kernel_keeps_a_connection_back_until_it_says_something() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        Listener(sock, {}).defer(True)
        with socket.create_connection(sock.getsockname(), HUNG_S) as client:
            with pytest.raises(BlockingIOError):
                sock.accept()
            client.sendall(GET)
            assert select.select([sock], [], [], HUNG_S)[0]
            with sock.accept()[0] as taken:
                assert taken.recv(1000) == GET


@pytest.mark.parametrize(("before", "wanted", "after"), [(0, False, 0), (0, True, 31), (31, False, 0), (7, True, 7)])
def test_a_wait_that_somebody_else_has_set_stays(before: int, wanted: bool, after: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, before)
        Listener(sock, {}).defer(wanted)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) == after
