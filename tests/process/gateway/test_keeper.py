"""nginx as a child: how it is told another configuration, what it says, and what becomes of it when something dies."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import FakeDaemon, open_directory, read_packet
from support.keeper import SITE, Kept, kept
from support.nginx import NGINX
from support.serving import HUNG_S

from wsgigroups.runtime.gateway.table import RoutesError
from wsgigroups.runtime.keeper.generations import private_directory
from wsgigroups.runtime.keeper.program import children_of, reason_in, takes_requests
from wsgigroups.runtime.wire.board import LISTENING
from wsgigroups.runtime.wire.routes import Link, MountRoute, StaticRoute

pytestmark = pytest.mark.needs(NGINX)


class Gate:
    """A daemon that says its name, where it is asked to only when it may."""

    def __init__(self, name: bytes) -> None:
        self.open, self.asked = threading.Event(), threading.Event()
        self.name = name

    def __call__(self, sock: socket.socket) -> None:
        if read_packet(sock)["PATH_INFO"] == "/slow":
            self.asked.set()
            self.open.wait(HUNG_S)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(self.name), self.name))


@pytest.fixture
def gates() -> Iterator[dict[str, Gate]]:
    found = {name: Gate(name.encode()) for name in ("one", "two")}
    yield found
    for gate in found.values():
        gate.open.set()


@pytest.fixture
def links(gates: dict[str, Gate]) -> Iterator[dict[str, Link]]:
    with FakeDaemon(gates["one"]) as one, FakeDaemon(gates["two"]) as two:
        yield {"one": one.link, "two": two.link}


def slow(nginx: Kept, gate: Gate, found: list[tuple[int, bytes]]) -> threading.Thread:
    """Ask for what is answered when the gate is opened; the request has reached the daemon when this returns."""
    thread = threading.Thread(target=lambda: found.append(nginx.get("/one/slow")))
    thread.start()
    assert gate.asked.wait(HUNG_S)
    return thread


def last(client: http.client.HTTPConnection, path: str) -> bool:
    """Whether the answer is the last one of its connection; a client that was told so connects anew."""
    client.request("GET", path, headers={"Host": SITE})
    response = client.getresponse()
    response.read()
    return response.will_close


def test_another_configuration_is_in_force_when_it_was_told_and_what_has_begun_ends_by_the_old_one(
    tmp_path: Path, gates: dict[str, Gate], links: dict[str, Link]
) -> None:
    log = os.open(tmp_path / "access", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with kept(tmp_path / "base", links, logs=[log]) as nginx:
        assert nginx.word("listening") == LISTENING["yes"]
        found: list[tuple[int, bytes]] = []
        waiting = slow(nginx, gates["one"], found)
        master = nginx.master
        for turn in range(5):
            nginx.route({"two": links["two"]} if turn % 2 else links, logs=[log])
            for _request in range(5):
                assert nginx.get("/two") == (200, b"two")
                assert nginx.get("/one")[0] == (404 if turn % 2 else 200)
        assert nginx.master == master
        assert "2" in nginx.files(), "its worker has the request"
        gates["one"].open.set()
        waiting.join(HUNG_S)
        assert found == [(200, b"one")]
        nginx.wait(lambda: nginx.files() == ["7", *(name for name in nginx.files() if not name.isdigit())])
        nginx.wait(lambda: (tmp_path / "access").read_text().count("\n") == 51)
        assert "GET /one/slow" in (tmp_path / "access").read_text()
        nginx.wait(lambda: nginx.word("status_2xx") == 41)
        assert (nginx.word("requests_total"), nginx.word("status_4xx")) == (51, 10)
        assert nginx.word("sent_bytes") > 51 * 100
    os.close(log)
    assert os.listdir(tmp_path / "base") == []
    assert [text for level, text in nginx.logged if level != "info"] == []


def test_while_it_parts_each_answer_is_the_last_and_connections_that_are_kept_stay_open(
    tmp_path: Path, links: dict[str, Link]
) -> None:
    (tmp_path / "index").write_text("a file")
    directory = open_directory(tmp_path)
    asked = ("/one", "/files/index", "/one%2Fa%20b?c=%3Fd", "/nothing")
    site = {
        "mounts": (MountRoute("/", "one"), MountRoute("/nothing", "nobody")),
        "statics": (StaticRoute("/files", 0),),
    }
    links = {"one": links["one"], "nobody": Link(str(tmp_path / "nobody"))}
    with kept(tmp_path / "base", links, directories=[directory], **site) as nginx, contextlib.ExitStack() as stack:
        clients = {path: stack.enter_context(contextlib.closing(nginx.connection())) for path in asked}
        before = {path: last(clients[path], path) for path in asked}
        assert not any(before.values())
        workers = nginx.workers
        nginx.server.part(True)
        nginx.server.part(True)
        assert {path: last(clients[path], path) for path in asked} == dict.fromkeys(asked, True)
        nginx.server.part(False)
        nginx.server.part(False)
        assert {path: last(clients[path], path) for path in asked} == before
        assert nginx.workers == workers
    os.close(directory)
    assert [text for level, text in nginx.logged if level != "info" and "nobody" not in text] == []


def test_a_configuration_that_cannot_be_used_changes_nothing_and_says_why(
    tmp_path: Path, links: dict[str, Link]
) -> None:
    with kept(tmp_path / "base", links) as nginx:
        workers = children_of(nginx.master)
        text = nginx.text(links, 99).replace("worker_processes 1;", "worker_processes 1; nonsense here;")
        with pytest.raises(RoutesError, match='unknown directive "nonsense"'):
            nginx.server.route(text.encode(), 99, [], [])
        assert children_of(nginx.master) == workers
        assert nginx.get("/one") == (200, b"one")
        nginx.wait(lambda: "99" not in nginx.files())
        assert not [text for _level, text in nginx.logged if "nonsense" in text], "the one that serves never read it"
        nginx.route({"one": links["one"]})
        assert nginx.get("/two")[0] == 404


def test_a_configuration_that_was_there_before_is_found_again_while_somebody_goes_by_it(
    tmp_path: Path, gates: dict[str, Gate], links: dict[str, Link]
) -> None:
    log = os.open(tmp_path / "access", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with kept(tmp_path / "base", links, logs=[log]) as nginx:
        found: list[tuple[int, bytes]] = []
        waiting = slow(nginx, gates["one"], found)
        nginx.route({"one": links["one"]}, logs=[log])
        nginx.server.route(nginx.text(links, 2, 1).encode(), 2, [], [log])
        assert nginx.get("/two") == (200, b"two")
        gates["one"].open.set()
        waiting.join(HUNG_S)
        nginx.wait(lambda: "3" not in nginx.files())
        assert "2" in nginx.files()
        nginx.wait(lambda: (tmp_path / "access").read_text().count("\n") == 2)
    os.close(log)


def test_one_that_cannot_begin_says_why(tmp_path: Path, links: dict[str, Link]) -> None:
    with pytest.raises(RoutesError, match="cannot be executed"), kept(tmp_path / "base", links, path="/nonexistent"):
        pass
    assert os.listdir(tmp_path / "base") == []


def test_the_same_configuration_with_another_log_reads_nothing_anew(tmp_path: Path, links: dict[str, Link]) -> None:
    logs = [os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for name in ("first", "second")]
    with kept(tmp_path / "base", links, logs=logs[:1]) as nginx:
        workers = children_of(nginx.master)
        nginx.get("/one")
        nginx.wait(lambda: (tmp_path / "first").read_text())
        nginx.server.route(nginx.text(links, nginx.number, 1).encode(), nginx.number, [], logs[1:])
        nginx.get("/two")
        nginx.wait(lambda: "/two" in (tmp_path / "second").read_text())
        assert children_of(nginx.master) == workers
    for fd in logs:
        os.close(fd)


def test_files_are_those_below_the_directory_that_was_opened(tmp_path: Path, links: dict[str, Link]) -> None:
    for name in ("files", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.txt").write_text(name)
    (tmp_path / "files" / "link").symlink_to(tmp_path / "others")
    directory = open_directory(tmp_path / "files")
    with kept(tmp_path / "base", links, directories=[directory], statics=(StaticRoute("/s", 0),)) as nginx:
        os.close(directory)
        (tmp_path / "files").rename(tmp_path / "moved")
        (tmp_path / "files").symlink_to(tmp_path / "others")
        assert nginx.get("/s/page.txt") == (200, b"files")
        assert nginx.get("/s/link/page.txt")[0] == 404
        other = open_directory(tmp_path / "others")
        nginx.route(links, directories=[other], statics=(StaticRoute("/s", 0),))
        os.close(other)
        assert nginx.get("/s/page.txt") == (200, b"others")


def test_a_killed_nginx_is_followed_by_another_and_its_workers_finish(
    tmp_path: Path, gates: dict[str, Gate], links: dict[str, Link]
) -> None:
    with kept(tmp_path / "base", links) as nginx:
        found: list[tuple[int, bytes]] = []
        waiting = slow(nginx, gates["one"], found)
        died = nginx.master
        os.kill(died, signal.SIGKILL)
        nginx.wait(lambda: nginx.master not in (0, died) and nginx.get("/two") == (200, b"two"))
        nginx.wait(lambda: sum(map(takes_requests, nginx.workers)) == 1)
        nginx.route({"one": links["one"]})
        assert nginx.get("/two")[0] == 404
        gates["one"].open.set()
        waiting.join(HUNG_S)
        assert found == [(200, b"one")]
        nginx.wait(lambda: len(nginx.workers) == 1)
        assert not nginx.failed.is_set()
        assert ("error", f"nginx has ended by itself: pid {died}, signal 9") in nginx.logged


def test_one_that_dies_at_once_is_left_to_the_manager(tmp_path: Path, links: dict[str, Link]) -> None:
    with kept(tmp_path / "base", links, least_life_s=HUNG_S) as nginx:
        nginx.route({"one": links["one"]})
        os.kill(nginx.master, signal.SIGKILL)
        assert nginx.failed.wait(HUNG_S)


def test_draining_ends_with_the_last_request(tmp_path: Path, gates: dict[str, Gate], links: dict[str, Link]) -> None:
    with kept(tmp_path / "base", links) as nginx:
        found: list[tuple[int, bytes]] = []
        waiting = slow(nginx, gates["one"], found)
        nginx.server.stop_accepting(None)
        assert not nginx.server.wait_idle(0.1)
        gates["one"].open.set()
        assert nginx.server.wait_idle(HUNG_S)
        waiting.join(HUNG_S)
        assert found == [(200, b"one")]
        assert nginx.workers == []


def test_what_takes_too_long_is_cut_off(tmp_path: Path, gates: dict[str, Gate], links: dict[str, Link]) -> None:
    with kept(tmp_path / "base", links) as nginx:
        with socket.create_connection(("127.0.0.1", nginx.port), HUNG_S) as sock:
            sock.sendall(b"GET /one/slow HTTP/1.1\r\nHost: www.test\r\n\r\n")
            assert gates["one"].asked.wait(HUNG_S)
            nginx.server.stop_accepting(None)
            nginx.server.cut_off()
            assert nginx.server.wait_idle(HUNG_S)
        gates["one"].open.set()
        assert nginx.workers == []


def test_a_listener_that_was_shut_down_is_noticed(tmp_path: Path, links: dict[str, Link]) -> None:
    with kept(tmp_path / "base", links) as nginx:
        nginx.listener.shutdown(socket.SHUT_RDWR)
        assert nginx.shut.wait(HUNG_S)


def test_what_keepers_have_left_is_removed_and_what_others_hold_is_not(tmp_path: Path) -> None:
    (tmp_path / "left" / "5").mkdir(parents=True)
    (tmp_path / "left" / "5" / "link").symlink_to("/etc")
    os.mkfifo(tmp_path / "left" / "tally")
    _path, held = private_directory(str(tmp_path), "alive")
    _path, other = private_directory(str(tmp_path), "new")
    assert sorted(os.listdir(tmp_path)) == ["alive", "new"]
    os.close(held)
    os.close(other)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", ""),
        ("nginx: [emerg] open() failed\n", "open() failed"),
        ("2026/01/01 00:00:00 [warn] 1#1: odd\n2026/01/01 00:00:00 [emerg] 1#1: bind: failed\n", "bind: failed"),
        ("nginx: [alert] a: b\nnginx: [emerg] c: d in /x:1\nnginx: test failed\n", "c: d in /x:1"),
        ("killed\n", "killed"),
    ],
)
def test_the_worst_that_it_says_is_the_reason(said: str, reason: str) -> None:
    assert reason_in(said) == reason
