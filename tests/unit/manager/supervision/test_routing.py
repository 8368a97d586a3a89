"""How a gateway is told its routes: a sealed text, and behind it as many descriptors as there are places."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.logs import logs_of_nobody
from support.targets import small_target

from wsgigroups.manager.supervision import routing
from wsgigroups.manager.supervision.site_pages import SitePages
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.plan.routing import DirectoryTarget, RoutingTarget
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.board import WORD, private
from wsgigroups.runtime.wire.routes import REFUSED, Challenges


class Told:
    """A process that keeps what it is sent."""

    def __init__(self, pid: int = 4711) -> None:
        self.life, self.pid, self.group, self.info, self.told, self.exited = 7, pid, "@gateway", {"slot": 1}, 0, False
        self.messages: list[messages.Message] = []
        self.files: list[list[str]] = []
        self.board, self.site_pages = private(1), SitePages()

    def send(self, message: messages.Message, fds: list[int]) -> None:
        self.messages.append(message)
        self.files.append([os.readlink(f"/proc/self/fd/{fd}") for fd in fds])
        if isinstance(message, messages.Route):
            self.text = os.pread(fds[0], 1000, 0).decode()
            with pytest.raises(OSError, match=r"."):
                os.pwrite(fds[0], b"x", 0)

    def snapshot(self) -> Any:
        return {name: self.board.words[index] for name, index in WORD.items()}

    def tell(self, target: GroupTarget) -> str:
        return routing.tell(cast("Any", self), target, logs_of_nobody(), routing.Published())


def gateway(directories: list[str], logs: list[str]) -> GroupTarget:
    places = tuple(DirectoryTarget(path, "") for path in directories)
    return small_target("@gateway", routing=RoutingTarget('{"sites": {}}', places, tuple(logs), (), "/run", None, 99))


@pytest.mark.parametrize("count", [0, 1, 248, 249, 250, 498, 600])
def test_all_descriptors_come_in_their_order(tmp_path: Path, count: int) -> None:
    directories = [str(tmp_path / f"d{number}") for number in range(count)]
    for path in directories:
        os.mkdir(path)
    logs = [str(tmp_path / "access.log")]
    process, before = Told(), len(os.listdir("/proc/self/fd"))
    assert process.tell(gateway(directories, logs)) == ""
    *ahead, counts, last = process.messages
    assert counts == messages.SiteCounts(7)
    assert all(isinstance(message, messages.RouteFiles) for message in ahead)
    assert last == messages.Route(7, count, 1, 99)
    assert all(len(files) <= 250 for files in process.files)
    assert [path for files in process.files for path in files if not path.startswith("/memfd:")] == directories + logs
    process.site_pages.close()
    assert json.loads(process.text) == {"sites": {}}
    assert process.told == 99
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_cannot_be_opened_is_said_and_nothing_is_sent(tmp_path: Path) -> None:
    process = Told()
    gone = str(tmp_path / "gone")
    assert process.tell(gateway([gone], [])) == (
        f"the routes cannot be told: the directory {gone}: No such file or directory"
    )
    assert (process.messages, process.told) == ([], 0)
    assert Told().tell(gateway([], [str(tmp_path / "no" / "where.log")])).endswith("No such file or directory")


def test_who_has_no_routes_or_no_process_is_told_nothing() -> None:
    process, forked = Told(), Told(pid=0)
    assert process.tell(small_target()) == ""
    assert forked.tell(gateway([], [])) == ""
    assert process.messages == forked.messages == []


def test_the_board_says_what_became_of_them() -> None:
    process = Told()
    target = gateway([], [])
    asked = cast("Any", process)
    assert not routing.goes_by(asked, target)
    process.board.words[WORD["tuned"]] = 99
    assert not routing.goes_by(asked, target), "nobody knows where it counts: its manager has died"
    process.tell(target)
    assert routing.goes_by(asked, target)
    assert not routing.refuses(asked)
    process.board.words[WORD["tuned"]] = REFUSED
    assert routing.refuses(asked)
    assert not routing.goes_by(asked, target)
    assert routing.goes_by(asked, small_target())
    assert not routing.refuses(cast("Any", SimpleNamespace(exited=True)))


def test_what_an_authority_looks_for_is_told_beside_the_routes(tmp_path: Path) -> None:
    """With a number of its own: who follows sees that a process goes by more than the routes, and tells it again."""
    process, target = Told(), gateway([], [])
    asked = Challenges({"t": "t.k"}, {"a.example.org": "proof"})
    assert routing.tell(cast("Any", process), target, logs_of_nobody(), routing.Published(asked, frozenset("b"))) == ""
    message = process.messages[-1]
    assert isinstance(message, messages.Route)
    assert json.loads(process.text)["challenges"] == {"texts": {"t": "t.k"}, "pairs": {"a.example.org": "proof"}}
    assert json.loads(process.text)["stopped"] == ["b"]
    assert message.number == process.told != 99
    process.board.words[WORD["tuned"]] = message.number
    assert not routing.goes_by(cast("Any", process), target)
    assert process.tell(target) == ""
    assert process.told == 99
    assert "challenges" not in json.loads(process.text)
