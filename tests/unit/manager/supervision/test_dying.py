"""The record of a death is made of what can be read from outside; nothing that a tenant left there goes beyond it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.lifecycle.step import Exit, Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.core.deaths import Death
from wsgigroups.manager.core.model import GroupState, LastError
from wsgigroups.manager.core.stacks import Frame
from wsgigroups.manager.supervision import dying, log_tail
from wsgigroups.manager.supervision.dying import Spent
from wsgigroups.manager.supervision.processes import Hooks, Process
from wsgigroups.manager.supervision.shell import Outside
from wsgigroups.runtime.wire import board, messages, notes

FAULT = """Fatal Python error: Segmentation fault

Current thread 0x00000000000007d1 (most recent call first):
  File "/srv/shop/app.py", line 46 in crash
  File "/opt/x/wsgigroups/runtime/wsgi/caller.py", line 66 in answer

Thread 0x00000000000007d0 (most recent call first):
  File "/srv/shop/app.py", line 9 in waits
"""
CRASHED, KILLED = Exit(-1, 11), Exit(-1, 9)


class Dead:
    """A process whose board, log and last message a test writes."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "blog.log"
        self.target = small_target(log_path=str(self.log))
        self.group = GroupState(self.target)
        self.record = Record(
            "blog", 1, 7, "f", Tenancy.READY, pid=99, spawned_at=time.monotonic() - 2.0, ready_at=time.monotonic()
        )
        info = {"group": "blog", "slot": 1, "fingerprint": "f", "threads": 4, "spawner": "k", "revision": 3}
        ours, theirs = socket.socketpair()
        theirs.close()
        hooks = Hooks(lambda _process, _message: True, lambda _process, _why: None, lambda _process, _status: None)
        self.process = Process(7, info, ours, -1, board.create(4, "wsgigroups-test"), hooks)
        self.process.pid = 99
        self.board = board.Board(self.process.board_fd)

    def answers(self, thread: int, target: bytes, age_s: float = 1.0) -> None:
        """Have a request under way."""
        notes.write_ident(self.board.notes, thread * notes.NOTE_BYTES, 2000 + thread)
        notes.write_asked(self.board.notes, thread * notes.NOTE_BYTES + notes.ASKED_OFFSET, b"GET", target)
        self.board.words[board.BUSY_WORD + thread] = time.monotonic_ns() - int(age_s * 1e9)

    def death(self, status: Exit, error: LastError | None = None) -> Death:
        return dying.death_of(
            self.process, (self.group, self.record), error, status, revision=5, out_of_memory=False
        )  # fmt: skip

    def close(self) -> None:
        self.board.close()
        self.process.close()


def play(directory: Path, story: Callable[[Dead], None]) -> None:
    async def run() -> None:
        dead = Dead(directory)
        try:
            story(dead)
        finally:
            dead.close()

    asyncio.run(run())


def test_a_crash_names_the_request_that_it_came_up_in(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        dead.answers(0, b"/waits", 9.0)
        dead.answers(1, b"/segv?secret=1", 0.5)
        dead.log.write_text(FAULT.replace("46", "45") + "older\n")
        dead.process.log_begin = dead.log.stat().st_size
        with dead.log.open("a") as log:
            log.write(f"2026-01-31T09:00:00.000Z blog/2 life=8 pid=5 info: another's\n    secret\n{FAULT}")
        dead.process.spent = Spent(0.5, 2**20)
        found = dead.death(CRASHED)
        first, second = found.requests
        assert (first.asked, first.frame) == ("GET /segv", Frame("application", "/srv/shop/app.py:46", "crash"))
        assert (second.asked, str(second.frame)) == ("GET /waits", "/srv/shop/app.py:9 in waits")
        assert second.age_s >= 9
        assert (found.cause, found.signal, found.requests_total, found.revision) == ("crashed", "SIGSEGV", 2, 3)
        assert (found.cpu_s, found.rss_bytes, found.pid, found.managed) == (0.5, 2**20, 99, True)
        assert found.up_s is not None
        assert found.up_s >= 2
        assert found.stack == first.stack
        text = "\n".join(found.log)
        assert "Fatal Python error" in text
        assert "app.py" not in text, "the stacks are told apart"
        for absent in ("secret", "older", "another"):
            assert absent not in text

    play(tmp_path, story)


def test_a_kill_has_the_requests_and_no_stack_of_somebody_elses_crash(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        dead.answers(1, b"/long")
        dead.answers(2, b"/noted", 0.5)
        dead.answers(3, b"/brief", 0.1)
        for thread, since in ((2, dead.board.words[board.BUSY_WORD + 2]), (3, 7)):  # 7: of a request before it
            notes.write_where(dead.board.notes, thread * notes.NOTE_BYTES, since, "/srv/app.py", 12, "pay")
        dead.log.write_text(FAULT)
        found = dead.death(KILLED)
        assert (found.cause, found.requests[0].stack) == ("killed", ())
        assert [(request.asked, str(request.frame)) for request in found.requests] == [
            ("GET /long", "None"), ("GET /noted", "/srv/app.py:12 in pay"), ("GET /brief", "None"),
        ]  # fmt: skip

    play(tmp_path, story)


@pytest.mark.parametrize(("busy", "cause"), [(True, "cut-off"), (False, "replaced")])
def test_one_that_left_with_requests_in_it_was_cut_off(tmp_path: Path, busy: bool, cause: str) -> None:
    """It ends itself at the end of shutdown-timeout, with code 0, as if nothing had been lost."""

    def story(dead: Dead) -> None:
        if busy:
            dead.answers(1, b"/long", 30.0)
        dead.record = Record("blog", 1, 7, "f", Tenancy.DRAINING, ready_at=1.0, reason="replaced")
        found = dead.death(Exit(0, 0))
        assert (found.cause, found.reason, found.asked) == (cause, "replaced", True)
        assert [request.asked for request in found.requests] == ["GET /long"] * busy

    play(tmp_path, story)


def test_one_that_was_judged_has_what_it_told_then(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        dead.answers(2, b"/stuck", 30.0)
        stacks = 'Thread wsgigroups-request-2 (most recent call last):\n  File "/srv/a.py", line 5, in sleeps\n'
        dead.process.testimony = dying.testimony_of(dead.process, messages.InFlight(7, "", stacks))
        dead.board.words[board.BUSY_WORD + 2] = 0
        dead.record = Record("blog", 1, 7, "f", Tenancy.DRAINING, ready_at=1.0, reason="request-timeout")
        error = LastError(1, 7, "request-timeout: a request runs for 30.0 s")
        found = dead.death(Exit(0, 0), error)
        assert (found.cause, found.message) == ("request-timeout", error.message)
        assert [str(request.frame) for request in found.requests] == ["/srv/a.py:5 in sleeps"]

    play(tmp_path, story)


def test_one_that_hangs_in_its_import_has_the_stack_of_it(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        stacks = 'Thread MainThread (most recent call last):\n  File "/srv/a.py", line 2, in <module>\n'
        dead.process.testimony = dying.testimony_of(dead.process, messages.InFlight(7, "", stacks))
        dead.record = Record("blog", 1, 7, "f", Tenancy.ABORTING)
        found = dead.death(KILLED, LastError(1, 7, "not ready within startup-timeout (2 s)"))
        assert found.cause == "startup-timeout"
        assert [str(frame) for frame in found.stack] == ["/srv/a.py:2 in <module>"]

    play(tmp_path, story)


def test_what_a_tenant_wrote_is_clean_and_bounded(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        dead.answers(0, b"/\x1b]52;c;cm0=\x07")
        dead.log.write_text("\x1b[2J" * 99_999)
        dead.process.info["revision"] = "\x1b"
        found = dead.death(CRASHED, LastError(1, 7, "\x1b" * 9999, step="\x1b" * 999))
        texts = [found.message, found.step, *found.log, *(request.asked for request in found.requests)]
        assert all(text.isprintable() and len(text) <= 500 for text in texts)
        assert found.revision == 5

    play(tmp_path, story)


def test_a_board_that_was_overwritten_has_no_requests(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        dead.answers(0, b"/")
        dead.board.words[0] = 7
        assert dead.death(KILLED).requests == ()

    play(tmp_path, story)


def test_a_mistake_in_what_is_only_told_is_logged_and_nothing_more(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        logged: list[str] = []
        outside = Outside(tmp_path, 2, lambda _level, text: logged.append(text))
        outside.died = lambda death: logged.append(death.cause)
        state = model.State(groups={"blog": dead.group})
        before = (dead.group, dead.record)
        dying.record(state, outside, dead.process, before, KILLED, out_of_memory=False)
        dying.record(state, outside, dead.process, None, KILLED, out_of_memory=False)
        dead.process.info["threads"] = "four"
        dying.record(state, outside, dead.process, before, KILLED, out_of_memory=False)
        assert logged[:2] == ["killed", "killed"]
        assert "[BUG] no record of the death of life 7" in logged[2]

    play(tmp_path, story)


def exited(**changes: Any) -> messages.Exited:
    request = {"thread": 1, "ident": 5, "asked": "GET /\x1b", "age_s": 1.25}
    values: dict[str, Any] = {
        "info": {"group": "blog", "slot": 2, "revision": 3, "started_at": "2026-01-31T09:00:00Z"},
        "in_flight": {"total": 4, "requests": [request]},
        "signal": 9,
        "user_s": 1.0,
        "system_s": 0.5,
        "maximum_rss_bytes": 4096,
        "ended_at": 1769850010.0,
    }
    return messages.Exited(7, 99, **{**values, **changes})


def test_an_end_without_a_manager_is_what_the_spawner_tells() -> None:
    found = dying.unmanaged(exited(), KILLED)
    assert (found.cause, found.managed, found.slot, found.revision) == ("killed", False, 2, 3)
    assert (found.at, found.up_s, found.cpu_s, found.rss_bytes) == (1769850010.0, 10.0, 1.5, 4096)
    assert [(request.asked, request.age_s) for request in found.requests] == [("GET /\\x1b", 1.2)]


@pytest.mark.parametrize(
    "changes",
    [
        {"info": {}},
        {"info": {"group": ["x"], "slot": -1, "revision": "x", "started_at": 7}},
        {"in_flight": {"total": -1, "requests": [7, {}, {"thread": 1, "ident": 1, "asked": 1, "age_s": "x"}]}},
        {"in_flight": {"requests": [{"thread": 1, "ident": 1, "asked": "x", "age_s": float("inf")}]}},
        {"in_flight": {"requests": {"x": 1}}},
        {"in_flight": {"requests": [{"thread": 1, "ident": 1, "asked": "x", "age_s": 1.0, "where": [1]}]}},
        {"user_s": float("nan")},
        {"user_s": -5.0, "maximum_rss_bytes": -1},
        {"ended_at": float("inf")},
        {"ended_at": float("nan")},
    ],
)
def test_a_spawner_of_a_users_may_say_anything(changes: dict[str, Any]) -> None:
    found = dying.unmanaged(exited(**changes), KILLED)
    assert found.cause == "killed"
    assert 0 < found.at <= time.time()


@pytest.mark.parametrize(
    ("number", "name"), [(0, ""), (11, "SIGSEGV"), (9, "SIGKILL"), (45, "signal 45"), (999, "signal 999")]
)
def test_signals_have_their_names(number: int, name: str) -> None:
    assert dying.signal_name(number) == name


def test_the_end_of_a_log_is_read_of_files_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    assert log_tail.read_end(str(path), None) == ""
    path.write_text("one\ntwo\n")
    assert log_tail.read_end(str(path), None) == "one\ntwo\n"
    assert log_tail.read_end(str(path), None, 4) == "two\n"
    assert log_tail.read_end(str(path), None, 400) == "one\ntwo\n", "the file was changed for another"
    path.write_text("x" * log_tail.READ_BYTES + "\nlast\n")
    assert log_tail.read_end(str(path), None) == "last\n", "no line is shown in part"
    link, fifo = tmp_path / "link", tmp_path / "fifo"
    link.symlink_to(path)
    os.mkfifo(fifo)
    for other in (link, fifo, tmp_path, Path("/dev/zero")):
        assert log_tail.read_end(str(other), None) == ""


def test_where_the_log_writer_has_the_lines_it_is_asked_for_the_last_ones(tmp_path: Path) -> None:
    def story(dead: Dead) -> None:
        dead.process.log_said = lambda: f"x\n{FAULT}the last"
        dead.log.write_text("of others\n")
        dead.answers(1, b"/segv")
        found = dead.death(CRASHED)
        assert str(found.requests[0].frame) == "/srv/shop/app.py:46 in crash"
        assert found.log[-1] == "the last"
        assert "of others" not in found.log

    play(tmp_path, story)
