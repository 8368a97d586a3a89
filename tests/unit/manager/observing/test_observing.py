"""The manager's own listeners: what they answer, who keeps whom out, where they are bound, and when they are let go."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.observed import HUNG_S, Observed, ask, connect, group_of, read_answer
from support.ports import Ports
from support.targets import small_target

from wsgigroups.config.observing import ObservingPlaces, is_local, places_from
from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.observing import door, observing, probes
from wsgigroups.metrics.exposition import OPENMETRICS

BLOG = small_target(name="blog")


@pytest.fixture
def ports() -> Iterator[Ports]:
    with contextlib.closing(Ports()) as found:
        yield found


@pytest.fixture
def places(tmp_path: Path, ports: Ports) -> ObservingPlaces:
    return ObservingPlaces(f"127.0.0.1:{ports.reserve()}", f"unix:{tmp_path}/metrics.sock")


@pytest.fixture
def observed(tmp_path: Path, places: ObservingPlaces) -> Iterator[Observed]:
    with Observed(tmp_path, places) as found:
        yield found


def test_each_listener_answers_what_it_is_for(observed: Observed, places: ObservingPlaces) -> None:
    observed.put(group_of(BLOG, Tenancy.READY))
    assert ask(places.health, "/livez") == (200, "ok\n")
    assert ask(places.health, "/readyz") == (200, "ok\n")
    assert ask(places.health, "/readyz/blog") == (200, "ok\n")
    assert ask(places.health, "/readyz/shop") == (404, "there is no such group\n")
    assert ask(places.health, "/servingz") == (200, "ok\n")
    assert 'wsgigroups_processes_ready{group="blog"} 1' in ask(places.health, "/metrics")[1]
    assert ask(places.metrics, "/metrics", OPENMETRICS)[1].endswith("# EOF\n")
    for path in ("/livez", "/readyz", "/", "/v1/status"):
        assert ask(places.metrics, path)[0] == 404
    assert ask(places.health, "/v1/status")[0] == 404


def test_a_mistake_of_ours_is_told_and_answered(
    observed: Observed, places: ObservingPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "not_ready", lambda *_args, **_more: 1 // 0)
    assert ask(places.health, "/readyz")[0] == 500
    assert ask(places.health, "/livez")[0] == 200
    assert any("[BUG] GET /readyz" in line and "ZeroDivisionError" in line for line in observed.logged)


def test_who_is_shown_out_before_the_answer_is_no_mistake_of_ours(
    observed: Observed, places: ObservingPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_arguments: object, **_more: object) -> list[str]:
        observed.observing.commit(ObservingPlaces(), {})
        return []

    monkeypatch.setattr(probes, "not_ready", end)
    with connect(places.health) as sock:
        sock.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert sock.recv(1) == b""
    observed.within(lambda: None)
    assert not [line for line in observed.logged if "[BUG]" in line]


def test_who_stops_is_alive_and_not_ready(observed: Observed, places: ObservingPlaces) -> None:
    observed.put(group_of(BLOG, Tenancy.READY), stopping=True)
    assert ask(places.health, "/readyz") == (503, "everything is being stopped\n")
    assert ask(places.health, "/readyz/blog") == (503, "blog is being stopped\n")
    assert ask(places.health, "/livez") == (200, "ok\n")
    assert ask(places.health, "/servingz") == (200, "ok\n")


def test_a_socket_is_open_to_every_user_and_gone_when_it_ends(tmp_path: Path, places: ObservingPlaces) -> None:
    path = Path(places.metrics.removeprefix("unix:"))
    with Observed(tmp_path, places):
        assert path.stat().st_mode & 0o777 == 0o666
    assert not path.exists()


def test_those_who_say_nothing_keep_nobody_out(observed: Observed, places: ObservingPlaces) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(places.health)) for _ in range(3 * door.PLACES)]
        assert ask(places.health, "/livez") == (200, "ok\n")
        first = silent[0]
        with contextlib.suppress(ConnectionResetError):
            assert first.recv(1) == b""  # who was there longest has left


def test_nobody_stays_for_long(tmp_path: Path, places: ObservingPlaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "STAY_S", 0.05)
    with Observed(tmp_path, places), connect(places.health) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1) == b""


def test_descriptors_are_not_taken(observed: Observed, places: ObservingPlaces) -> None:
    with connect(places.metrics) as sock, contextlib.suppress(OSError):  # a newer kernel refuses them at the sender
        socket.send_fds(sock, [b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"], [sock.fileno()])
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    assert ask(places.metrics, "/metrics")[0] == 200


def test_one_address_may_be_both(tmp_path: Path, ports: Ports) -> None:
    address = f"127.0.0.1:{ports.reserve()}"
    with Observed(tmp_path, ObservingPlaces(address, address)) as observed:
        assert ask(address, "/livez")[0] == 200
        assert ask(address, "/metrics")[0] == 200
        observed.within(lambda: observed.observing.follow(ObservingPlaces("", address)))
        assert ask(address, "/livez")[0] == 404
        assert ask(address, "/metrics")[0] == 200


def test_a_change_binds_first_and_closes_what_is_not_wanted(
    observed: Observed, places: ObservingPlaces, ports: Ports
) -> None:
    wanted = ObservingPlaces(f"127.0.0.1:{ports.reserve()}")

    def change() -> None:
        observed.observing.commit(wanted, observed.observing.prepare(wanted))

    observed.within(change)
    assert ask(wanted.health, "/livez")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(places.health, "/livez")
    observed.within(lambda: observed.observing.follow(places))
    assert ask(places.health, "/livez")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(wanted.health, "/livez")


def test_an_address_that_is_taken_is_refused_or_tried_again(
    observed: Observed, places: ObservingPlaces, ports: Ports
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        wanted = ObservingPlaces(f"127.0.0.1:{other.getsockname()[1]}", f"127.0.0.1:{ports.reserve()}")
        with pytest.raises(WsgigroupsError, match=f"cannot listen on {wanted.health} for health-listen"):
            observed.within(lambda: observed.observing.prepare(wanted))
        assert ask(places.health, "/livez")[0] == 200
        observed.within(lambda: observed.observing.follow(wanted))
        observed.within(observed.observing.look)
        assert sum("it is tried again" in line for line in observed.logged) == 1
        assert ask(wanted.metrics, "/metrics")[0] == 200
    observed.within(observed.observing.look)
    assert ask(wanted.health, "/livez")[0] == 200


def test_a_file_that_is_lost_is_made_again(observed: Observed, places: ObservingPlaces) -> None:
    Path(places.metrics.removeprefix("unix:")).unlink()
    observed.within(observed.observing.look)
    assert ask(places.metrics, "/metrics")[0] == 200


def test_who_is_in_is_answered_before_the_next_version_follows_and_nobody_else_let_in(
    observed: Observed, places: ObservingPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "_LEAVE_S", HUNG_S)
    with connect(places.health) as early:
        early.sendall(b"GET /livez HTTP/1.1\r\n")
        assert ask(places.health, "/livez")[0] == 200  # the early one has been let in before
        resting = threading.Thread(target=observed.within, args=(observed.observing.rest,))
        resting.start()
        resting.join(0.1)
        assert resting.is_alive()
        early.sendall(b"Host: x\r\n\r\n")
        assert read_answer(early) == (200, "ok\n")
    resting.join()
    with connect(places.health) as late:
        late.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert select.select([late], [], [], 0.1)[0] == []
        observed.within(observed.observing.go_on)  # there is none
        assert read_answer(late) == (200, "ok\n")


def test_the_next_version_gets_the_listeners_with_who_waits_there(tmp_path: Path, places: ObservingPlaces) -> None:
    with Observed(tmp_path, places) as former:
        handed = {address: socket.socket(fileno=os.dup(fd)) for address, fd in former.observing.descriptors().items()}
        former.within(lambda: former.observing.commit(ObservingPlaces(), {}))
        with connect(places.health) as early, Observed(tmp_path, ObservingPlaces()) as latter:
            early.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            latter.observing.handed.update(handed)
            latter.within(lambda: latter.observing.follow(places))
            assert read_answer(early) == (200, "ok\n")


def test_what_was_stored_is_read_without_trust() -> None:
    assert places_from({"health-listen": "127.0.0.1:9180", "metrics-listen": "odd"}) == ObservingPlaces(
        "127.0.0.1:9180"
    )
    assert places_from({}) == ObservingPlaces()


@pytest.mark.parametrize(
    ("address", "local"),
    [
        *((address, True) for address in ("127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/run/a.sock")),
        *((address, False) for address in ("0.0.0.0:1", "192.0.2.1:1", "[::]:1")),
    ],
)
def test_who_can_connect_to_an_address(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_who_speaks_no_http_writes_nothing_into_the_log(observed: Observed, places: ObservingPlaces) -> None:
    for odd in (b"GET / HTTP/1.1\r\nBad Header\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/9\r\n\r\n"):
        with connect(places.health) as sock:
            sock.sendall(odd)
            assert read_answer(sock)[0] == 400
    assert not [line for line in observed.logged if "answers at" not in line]
