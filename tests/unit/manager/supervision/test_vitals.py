"""What the watcher does with the requests that are to be interrupted, from look to look."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.lifecycle.watch import Rules, quiet_s
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import vitals
from wsgigroups.manager.supervision.utilisation import Utilisation
from wsgigroups.manager.supervision.vitals import MemoryScale, Watcher
from wsgigroups.manager.supervision.weighing import Weighing
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.board import REASON, WORD, Snapshot

RULES = Rules(
    threads=4,
    request_timeout_s=10.0,
    request_timeout_mode="each",
    interrupt_timeout_s=5.0,
    deadlock_timeout_s=0.0,
)


def test_process_that_cannot_be_weighed_is_not_waited_for() -> None:
    """The kernel goes through what it has mapped, under a lock of its own: the manager's only thread stood still."""
    release, asked = threading.Event(), []

    def read(pid: int) -> int:
        asked.append(pid)
        if pid == 1:
            release.wait()
        return pid * 1024

    scale = MemoryScale(read)
    assert scale.weigh(2) == 2048
    assert scale.weigh(1) == 0
    assert scale.weigh(2) == 0, "one thread that waits is enough"
    assert asked == [2, 1]
    waiting = scale._busy
    assert waiting is not None
    release.set()
    waiting.join(10.0)
    assert scale.weigh(2) == 2048
    assert scale.weigh(1) == 0
    assert asked == [2, 1, 2], "it is not asked again at once"


class Watched:
    """A watcher of one process, whose board and clock the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        self.busy: dict[int, int] = {}
        self.sent: list[Any] = []
        self.logged: list[str] = []
        self.dispatched: list[Any] = []
        self.recorded: list[Any] = []
        self.dumps = 0
        self.counted: list[float] = []  # when the group's requests were counted
        self.seen: list[float] = []  # when its board was read
        self.missed_s = 0.0
        self.postponed: list[float] = []
        self.words = {**dict.fromkeys(WORD, 0), "threads": 4}
        self.process = SimpleNamespace(
            life=7,
            pid=1,
            group="blog",
            info={"group": "blog", "slot": 2, "threads": 4},
            send=self.sent.append,
            behind=False,
            snapshot=self._snapshot,
            dump_stacks=self._dump,
        )
        record = SimpleNamespace(life=7, state=Tenancy.READY, ready_at=1.0)
        self.target = SimpleNamespace(rules=RULES)
        group = SimpleNamespace(target=self.target, records=[record], recycle={}, rolling=False, unknown=False)
        self.shell: Any = SimpleNamespace(
            state=SimpleNamespace(groups={"blog": group}, find=lambda life: (group, record) if life == 7 else None),
            throughput=SimpleNamespace(
                keep=lambda _groups: None, look=lambda _group, _all: self.counted.append(self.now_s)
            ),
            processes={7: self.process},
            quotas=SimpleNamespace(log=lambda _group, _level, text: self.logged.append(text)),
            outside=SimpleNamespace(record=self.recorded.extend),
            postpone=self.postponed.append,
            utilisation=Utilisation(),
            weighing=Weighing(lambda _pid: 0),
            molds=SimpleNamespace(pids=dict),
            dispatch=self.dispatched.append,
        )
        clock = SimpleNamespace(monotonic=lambda: self.now_s, monotonic_ns=lambda: int(self.now_s * 1e9))
        monkeypatch.setattr(vitals, "time", clock)
        self.watcher = Watcher(self.shell, lambda: self.missed_s)

    def _snapshot(self) -> Snapshot:
        self.seen.append(self.now_s)
        return Snapshot(dict(self.words), dict(self.busy))

    def _dump(self) -> None:
        self.dumps += 1

    def look(self, at_s: float) -> list[tuple[int, int]]:
        """Look at that time; which requests the process is asked to interrupt: thread, and since when in seconds."""
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
    watched.busy = {1: 1000 * 10**9, 3: 1008 * 10**9}
    assert watched.look(1018) == [(1, 1000)]  # known since then: one from before would cost the process
    assert watched.look(1019) == [(1, 1000), (3, 1008)]
    assert watched.dispatched == []


def test_slow_requests_are_an_event_of_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.words["slow_requests"] = 3
    for at_s in (1010, 1011, 1012):
        watched.look(at_s)
    assert [(event.kind, event.text[:10]) for event in watched.recorded] == [("slow", "3 requests")]


def test_an_unknown_group_is_judged_by_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.shell.state.groups["blog"].unknown = True
    watched.busy = {1: 1000 * 10**9}
    for at_s in (1011, 2000):
        assert watched.look(at_s) == []
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
    watched.shell.state.groups = {**watched.shell.state.groups}
    watched.look(1013)
    watched.shell.processes[7] = watched.process
    watched.shell.state.groups = {**watched.shell.state.groups}
    assert watched.look(1018) == [(0, 1000)]
    assert watched.dispatched == []


def test_a_manager_that_was_only_busy_postpones_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who keeps it busy would else keep every deadline from coming."""
    watched = Watched(monkeypatch)
    watched.target.rules = replace(RULES, interrupt_timeout_s=0.0)
    watched.busy = {0: 1000 * 10**9}
    watched.look(1001)
    watched.look(1041)  # forty seconds in one turn
    assert watched.postponed == []
    assert [event.reason for event in watched.dispatched] == ["request-timeout"]


def test_a_manager_that_was_stopped_postpones_by_that_and_waits_for_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.busy = {0: 1000 * 10**9}
    watched.missed_s = 40.0
    assert watched.look(1041) == []
    assert watched.postponed == [40.0]
    watched.missed_s = 0.0
    assert watched.look(1043) == []
    assert watched.look(1045) == [(0, 1000)]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("heartbeat_ns", 2**63),
        ("last_activity_ns", 2**64 - 1),
        ("loading_since_ns", 1003 * 10**9),
        ("threads", 0),
        ("state", 7),
    ],
)
def test_a_board_with_what_no_daemon_writes_is_a_stalled_process(
    monkeypatch: pytest.MonkeyPatch, word: str, value: int
) -> None:
    watched = Watched(monkeypatch)
    watched.words[word] = value
    watched.look(1001)
    (event,) = watched.dispatched
    assert isinstance(event, model.LifeStalled)
    assert event.reason == "board"


def test_an_overwritten_board_or_a_request_to_come_is_a_stalled_process(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.busy = {2: 2**63}
    watched.look(1001)
    watched.process.snapshot = lambda: None
    watched.look(1002)
    assert [event.reason for event in watched.dispatched] == ["board", "board"]


def test_a_heartbeat_that_never_came_is_as_old_as_the_process_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.target.rules = replace(RULES, deadlock_timeout_s=5.0)
    watched.look(1001)
    assert [event.reason for event in watched.dispatched] == ["deadlock-timeout"]


def test_who_waits_for_a_successor_can_hang_and_has_no_second_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    """A successor that does not come up would else keep it for ever."""
    watched = Watched(monkeypatch)
    watched.shell.state.groups["blog"].recycle = {7: "maximum-requests"}
    watched.target.rules = replace(RULES, restart_interval_s=10.0)
    watched.look(1100)
    assert watched.dispatched == []
    watched.target.rules = replace(RULES, interrupt_timeout_s=0.0)
    watched.busy = {0: 1000 * 10**9}
    watched.look(1101)
    assert [(type(event), event.reason) for event in watched.dispatched] == [(model.LifeStalled, "request-timeout")]


def test_who_serves_on_while_it_waits_is_judged_again_only_when_no_thread_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its stacks would else be asked for at each look."""
    watched = Watched(monkeypatch)
    watched.target.rules = replace(RULES, interrupt_timeout_s=0.0)
    watched.busy = {0: 1000 * 10**9}
    watched.look(1011)
    watched.shell.state.groups["blog"].recycle = {7: "request-timeout"}
    watched.look(1012)
    assert watched.dumps == 0, "faulthandler walks over stacks that change meanwhile, which can crash the process"
    watched.busy = dict.fromkeys(range(4), 1000 * 10**9)
    watched.look(1013)
    assert watched.dumps == 1
    assert [(event.graceful, event.serves) for event in watched.dispatched] == [(True, True), (True, False)]


@pytest.mark.parametrize("reason", ["maximum-requests", "cpu-time-limit", "signal"])
def test_a_wish_is_heard_for_as_long_as_nothing_follows_from_it(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """A process says it once: during a rollout, or to a manager that died since."""
    watched = Watched(monkeypatch)
    watched.words["reason"] = REASON[reason]
    watched.look(1010)
    watched.look(1011)
    assert watched.dispatched == [model.LifeWorn(7, reason)] * 2
    watched.shell.state.groups["blog"].recycle = {7: reason}
    watched.look(1012)
    assert len(watched.dispatched) == 2


@pytest.mark.parametrize("reason", sorted({*REASON} - {"maximum-requests", "cpu-time-limit", "signal"}))
def test_other_reasons_are_no_wishes(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """One for a new script is over when its successor fails, the others are of processes that leave by themselves."""
    watched = Watched(monkeypatch)
    watched.words["reason"] = REASON[reason]
    watched.look(1010)
    assert watched.dispatched == []


def test_who_does_nothing_is_looked_at_now_and_then_and_who_works_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.target.rules = Rules(threads=4, deadlock_timeout_s=0.0)
    for second in range(1000, 1020):
        watched.look(second)
    assert watched.seen[0] == 1000
    assert len(watched.seen) <= 4, "at first, a second later, and every fifteen seconds"
    assert watched.counted == [1000], "nothing has ended since"
    watched.words["started_total"] = 1
    before = len(watched.seen)
    while len(watched.seen) == before:
        watched.look(watched.now_s + 1)
    assert watched.now_s <= 1035
    began = watched.now_s
    watched.busy = {0: int(began) * 10**9}
    for second in range(1, 11):
        watched.look(began + second)
    assert watched.seen[-11:] == [began + second for second in range(11)]
    assert watched.counted[1:] == watched.seen[-11:]


@pytest.mark.parametrize(
    ("rules", "seconds"),
    [
        (Rules(), 15.0),
        (Rules(deadlock_timeout_s=0.0), 15.0),
        (Rules(request_timeout_s=60.0), 3.0),
        (Rules(inactivity_timeout_s=10.0), 1.0),
        (Rules(restart_interval_s=3600.0), 15.0),
        (Rules(startup_timeout_s=40.0), 2.0),
        (Rules(request_timeout_s=600.0, interrupt_timeout_s=2.0), 1.0),
        (Rules(memory_soft_limit_bytes=1), 1.0),
    ],
)
def test_a_limit_is_seen_to_be_passed_at_most_a_twentieth_of_it_late(rules: Rules, seconds: float) -> None:
    assert quiet_s(rules) == pytest.approx(seconds)


def test_those_that_become_quiet_together_are_not_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.target.rules = Rules(threads=4, deadlock_timeout_s=0.0)
    watched.watcher._judge = lambda *_args: False  # type: ignore[method-assign]
    found = watched.shell.state.find(7)
    watched.shell.state.find = lambda _life: found
    for life in range(400):
        watched.shell.processes[life] = watched.process
    looked: dict[int, int] = {}
    look_at = watched.watcher._look_at
    monkeypatch.setattr(
        watched.watcher,
        "_look_at",
        lambda life, now: (looked.__setitem__(int(now), looked.get(int(now), 0) + 1), look_at(life, now))[1],
    )
    for second in range(1000, 1032):
        watched.look(second)
    assert {looked[second] for second in range(1001, 1032)} == {26, 27}


def test_who_goes_by_other_rules_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is shorter now would else be noticed as late as the former one allowed."""
    watched = Watched(monkeypatch)
    watched.target.rules = Rules(threads=4, deadlock_timeout_s=0.0)
    for second in range(1000, 1004):
        watched.look(second)
    before = len(watched.seen)
    watched.look(1004)
    looked_anyway = len(watched.seen) - before
    watched.target.rules = Rules(threads=4, deadlock_timeout_s=0.0, request_timeout_s=5.0)
    watched.shell.state.groups = {**watched.shell.state.groups}
    watched.look(1005)
    watched.look(1006)
    assert watched.seen[-2:] == [1005, 1006]
    assert looked_anyway <= 1
