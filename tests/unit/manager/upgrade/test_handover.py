"""What a manager passes to its next version, and that nothing is believed which was not meant for this process."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from support.control import ControlUnderTest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager import lock
from wsgigroups.manager.upgrade import handover


def test_it_comes_out_of_the_environment_as_it_went_in() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        given = handover.Handover(
            os.getpid(), version="1", handovers=2, control=sock.fileno(), passed=[(sock.fileno(), "own")], names=["n"]
        )
        environment = handover.environment_with(given, {"NOTIFY_SOCKET": "/run/notify"})
        assert environment["NOTIFY_SOCKET"] == "/run/notify"
        os.set_inheritable(sock.fileno(), True)
        assert handover.taken_from(environment) == given
        assert handover.VARIABLE not in environment
        assert not os.get_inheritable(sock.fileno())


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "{}", '{"pid": "x"}'),
        json.dumps({"pid": os.getpid() + 1}),
        json.dumps({"pid": os.getpid(), "rehearses": True}),
        json.dumps({"pid": os.getpid(), "passed": [[1]]}),
        json.dumps({"pid": os.getpid(), "control": 10**6}),
    ],
)
def test_what_is_not_meant_for_this_process_is_nothing(text: str) -> None:
    environment = {handover.VARIABLE: text}
    assert handover.taken_from(environment) is None
    assert environment == {}


def test_a_later_version_may_pass_more() -> None:
    found = handover.taken_from({handover.VARIABLE: json.dumps({"pid": os.getpid(), "later": 1})})
    assert found == handover.Handover(os.getpid())


def test_a_control_socket_that_is_none_is_not_taken(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        assert handover.Handover(os.getpid(), control=file.fileno()).listener() is None
    assert handover.Handover(os.getpid()).listener() is None
    assert handover.Handover(os.getpid(), control=10**6).listener() is None


def test_a_lock_is_taken_over_by_its_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "manager.lock"
    former = lock.HeldLock(path)
    with lock.held(path, former.fd):
        with pytest.raises(WsgigroupsError, match="another one"), lock.held(path):
            raise AssertionError("held twice")
        assert path.exists()
    assert not path.exists()


def test_a_descriptor_that_holds_no_lock_does_not_stand_for_one(tmp_path: Path) -> None:
    path = tmp_path / "manager.lock"
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    with lock.held(path, other), pytest.raises(WsgigroupsError, match="another one"), lock.held(path, 10**6):
        raise AssertionError("held twice")


def test_a_manager_that_cannot_execute_the_other_goes_on(tmp_path: Path) -> None:
    with ControlUnderTest(tmp_path) as control:
        control.upgrading.argv = [str(tmp_path / "nowhere")]
        control.upgrading.begun = True
        before = os.stat(control.path).st_ino

        async def hand_over() -> None:
            control.server.hold_back()
            await control.upgrading.hand_over(control.server, {}, {}, 0o022)

        control.within(hand_over)
        assert control.call("GET", "/v1/status").status == 200
        assert os.stat(control.path).st_ino == before
        assert not control.upgrading.begun
        assert any("this manager goes on" in line for line in control.logged)
