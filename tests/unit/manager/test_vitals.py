"""What the watcher does with the requests that are to be interrupted, from look to look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.lifecycle.watch import Rules
from wsgigroups.manager import model, vitals
from wsgigroups.manager.vitals import Watcher
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.board import WORD, Snapshot

RULES = Rules(
    threads=4,
    request_timeout_s=10.0,
    request_timeout_mode="each",
    interrupt_timeout_s=5.0,
    deadlock_timeout_s=0.0,
)


class Watched:
    """A watcher of one process, whose board and clock the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        self.busy: dict[int, int] = {}
        self.sent: list[Any] = []
        self.logged: list[str] = []
        self.dispatched: list[Any] = []
        self.process = SimpleNamespace(
            life=7,
            pid=1,
            info={"group": "blog", "slot": 2},
            send=self.sent.append,
            behind=False,
            snapshot=lambda: Snapshot(dict.fromkeys(WORD, 0), dict(self.busy)),
            dump_stacks=lambda: None,
        )
        record = SimpleNamespace(life=7, state=Tenancy.READY, ready_at=1.0)
        group = SimpleNamespace(target=SimpleNamespace(rules=RULES), records=[record], recycle={})
        self.shell: Any = SimpleNamespace(
            state=SimpleNamespace(groups={"blog": group}),
            processes={7: self.process},
            outside=SimpleNamespace(log=lambda _level, text: self.logged.append(text)),
            dispatch=self.dispatched.append,
        )
        clock = SimpleNamespace(monotonic=lambda: self.now_s, monotonic_ns=lambda: int(self.now_s * 1e9))
        monkeypatch.setattr(vitals, "time", clock)
        self.watcher = Watcher(self.shell)

    def look(self, at_s: float) -> list[tuple[int, int]]:
        """Look at that time; which requests the process is asked to interrupt: thread, and since when in seconds."""
        self.watcher._last = at_s - vitals.PERIOD_S  # never late
        self.now_s = at_s
        self.sent.clear()
        self.watcher.look()
        asked = [message for message in self.sent if isinstance(message, messages.Interrupt)]
        assert all(message.life == 7 for message in asked)
        return [(message.thread, message.since_ns // 10**9) for message in asked]


def test_a_request_is_to_be_interrupted_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.busy = {1: 1000 * 10**9, 3: 1008 * 10**9}
    assert watched.look(1010) == []
    assert watched.look(1011) == [(1, 1000)]
    assert watched.look(1012) == [(1, 1000)]
    assert len(watched.logged) == 1
    assert watched.logged[0].startswith("blog/2 life=7: request-timeout, a request runs for 11.0 s")
    watched.busy = {1: 1013 * 10**9, 3: 1008 * 10**9}  # another one in the same thread
    assert watched.look(1017) == []
    assert watched.watcher._interrupted == {7: {}}
    assert watched.look(1019) == [(3, 1008)]
    assert watched.dispatched == []


def test_who_does_not_read_is_not_asked_again_and_the_clock_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.busy = {0: 1000 * 10**9}
    watched.process.behind = True
    assert watched.look(1012) == []
    assert watched.look(1017) == []
    assert watched.look(1018) == []
    assert [event.reason for event in watched.dispatched] == ["request-timeout"]


def test_many_requests_are_one_line_in_the_log_however_often_a_tenant_makes_up_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    for second in range(3):
        watched.busy = {thread: (second + 1) * 10**9 + thread for thread in range(4)}
        assert len(watched.look(1012 + second)) == 4
    assert len(watched.logged) == 3
    assert watched.logged[0].endswith(": interrupts 4 of up to 1011.0 s")


def test_one_that_does_not_end_costs_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.busy = {0: 1000 * 10**9}
    assert watched.look(1012) == [(0, 1000)]
    assert watched.look(1017) == [(0, 1000)]
    assert watched.look(1018) == []
    (event,) = watched.dispatched
    assert isinstance(event, model.LifeStalled)
    assert (event.life, event.reason, event.graceful) == (7, "request-timeout", True)
    assert event.detail == "a request runs for 18.0 s, interrupt-timeout did not end it"


def test_what_is_known_of_a_process_is_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.busy = {0: 1000 * 10**9}
    assert watched.look(1012) == [(0, 1000)]
    watched.shell.processes.clear()
    watched.look(1013)
    assert watched.watcher._interrupted == {}
