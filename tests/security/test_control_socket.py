"""The control socket and descriptors that do not close, where the kernel refuses them and where it does not.

As whoever runs the tests; the manager is in this process.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.control import ControlUnderTest
from support.stubborn import stubborn_peer

from wsgigroups.manager.control import entrance
from wsgigroups.manager.control.entrance import MAXIMUM_OF_A_USER
from wsgigroups.runtime.wire.rights import take_rights

ANSWER_S = 1.0  # whoever waited for the close would wait for a minute
REQUEST = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(params=[("sent", "refused"), ("sent",)], ids=["this kernel", "before Linux 6.16"])
def outcomes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What may become of sending a descriptor to the manager."""
    if "refused" not in request.param:
        monkeypatch.setattr(entrance, "take_rights", lambda _sock, **_take: False)
    return tuple(request.param)


@pytest.fixture
def api(tmp_path: Path, outcomes: tuple[str, ...]) -> Iterator[ControlUnderTest]:
    assert outcomes
    with ControlUnderTest(tmp_path) as under_test:
        yield under_test


def answers_soon(api: ControlUnderTest) -> None:
    began_s = time.monotonic()
    assert api.call("GET", "/v1/status").status == 200
    assert time.monotonic() - began_s < ANSWER_S


def connect(api: ControlUnderTest) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(str(api.path))
    return sock


@pytest.mark.parametrize("count", [1, 250])
@pytest.mark.parametrize("before", [b"", REQUEST, REQUEST[:20]])
@pytest.mark.parametrize("stays", [False, True])
def test_descriptors_that_do_not_close_freeze_nobody(
    api: ControlUnderTest, outcomes: tuple[str, ...], before: bytes, count: int, stays: bool
) -> None:
    """Alone, behind a request, and in the middle of one; of a sender that goes, and of one that stays until the end.

    The last one to have a descriptor waits for its close: a manager that reads at once may not be that.
    """
    opened = len(os.listdir("/proc/self/fd"))
    with stubborn_peer() as stubborn:
        for meanwhile in (contextlib.nullcontext(), api.held()):
            with meanwhile:
                assert stubborn.send(api.path, count, before, stays=stays) in outcomes
            answers_soon(api)
        api.close()
    assert len(os.listdir("/proc/self/fd")) <= opened


def test_who_waits_outside_with_descriptors_does_not_delay_the_end(api: ControlUnderTest) -> None:
    with stubborn_peer() as stubborn:
        for _number in range(4):
            stubborn.send(api.path, 1)
        began_s = time.monotonic()
        api.close()
        assert time.monotonic() - began_s < 15.0


def test_strangers_have_so_many_connections(api: ControlUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of the read group, that is: here, whoever is not taken for an administrator."""
    monkeypatch.setattr(
        entrance, "_look_at", lambda connection: entrance.Visitor(entrance.peer_of(connection), administers=False)
    )
    with contextlib.ExitStack() as stack:
        inside = [stack.enter_context(connect(api)) for _number in range(MAXIMUM_OF_A_USER)]
        for sock in inside:
            sock.sendall(REQUEST)
            assert b" 403 " in sock.recv(65536)
        one_more = stack.enter_context(connect(api))
        assert one_more.recv(1) == b""
        inside[0].close()
        monkeypatch.undo()
        answers_soon(api)
    assert any("16 of them" in line for line in api.logged)


def test_refusals_do_not_fill_the_log(api: ControlUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        entrance, "_look_at", lambda connection: entrance.Visitor(entrance.peer_of(connection), administers=False)
    )
    for _number in range(60):
        assert api.call("GET", "/v1/status").status == 403
    assert len(api.logged) < 40


def test_where_the_kernel_can_it_refuses_descriptors_at_the_sender(tmp_path: Path) -> None:
    with ControlUnderTest(tmp_path) as api, connect(api) as sock:
        knows = take_rights(sock, take=True)
        with pytest.raises(PermissionError) if knows else contextlib.nullcontext():
            socket.send_fds(sock, [b"x"], [0])
