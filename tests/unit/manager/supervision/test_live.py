"""Live options on a process that is not asked: what is refused keeps nothing else back."""

from __future__ import annotations

import os
import resource
from types import SimpleNamespace
from typing import Any

import pytest
from support.logs import logs_of_nobody
from support.targets import small_spec, small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.manager.supervision import live
from wsgigroups.manager.supervision.specs import build_spec
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.runtime.wire import board, messages
from wsgigroups.runtime.wire.spec import Serving


def test_a_refused_priority_keeps_no_limit_back(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []

    def refuse(_pid: int, _priority: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(live, "set_priority", refuse)
    monkeypatch.setattr(live, "_set_limit", lambda _pid, number, pair: limits.append((number, pair)))
    process: Any = SimpleNamespace(life=7, pid=1, info={"slot": 1}, given=small_target(), send=lambda _message: None)
    limits_of_spec = {"DATA": (1 << 28, 1 << 28)}
    target = small_target(spec=small_spec(cpu_priority=-5, rlimits=limits_of_spec))
    refused = live.tune(process, target, logs_of_nobody())
    assert limits == [
        (resource.RLIMIT_DATA, (1 << 28, 1 << 28)),
        (resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)),  # nobody asks for one: it stays the manager's
    ]
    assert refused.startswith("cannot change a running process: cpu-priority: ")
    assert "RLIMIT" not in refused


def pushed(target: GroupTarget, life: int) -> messages.Tune:
    """What a running process of this life is told of its group's options."""
    sent: list[Any] = []
    # no process has that number: what is set from outside is left out
    process: Any = SimpleNamespace(life=life, pid=2**30, info={"slot": 2}, given=target, send=sent.append)
    live.tune(process, target, logs_of_nobody())
    (message,) = sent
    assert isinstance(message, messages.Tune)
    return message


def test_nothing_comes_before_the_spec() -> None:
    process: Any = SimpleNamespace(life=1, pid=0, info={"slot": 1}, send=pytest.fail)
    assert live.tune(process, small_target(), logs_of_nobody()) == ""


def test_a_running_process_is_told_what_a_new_one_of_its_life_would_be() -> None:
    """Whatever is made for each life from the target is the same on both ways; fixed fields are not told at all."""
    serving = Serving(maximum_requests=10_000, trusted_proxies=("10.0.0.0/8",))
    target = small_target(spec=small_spec(serving=serving, shutdown_timeout_s=7.0))
    told = set()
    for life in range(1, 9):
        fresh = build_spec(target, Record("blog", 2, life, "f")).to_wire()
        message = pushed(target, life)
        assert message.serving == {key: fresh["serving"][key] for key in message.serving}
        assert fresh["serving"].keys() - message.serving.keys() == {
            "threads",
            "multiprocess",
            "run_once",
            "stack_size_bytes",
        }
        assert message.spec == {key: fresh[key] for key in message.spec}
        assert message.title == fresh["title"]
        told.add(message.serving["maximum_requests"])
    assert len(told) == 8
    assert all(9_000 < number <= 10_000 for number in told)


def test_room_for_the_way_out_is_part_of_the_limit_of_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(live, "set_priority", lambda _pid, _priority: None)
    monkeypatch.setattr(live, "_set_limit", lambda _pid, number, pair: limits.update({number: pair}))
    process: Any = SimpleNamespace(life=7, pid=1, info={"slot": 1}, given=small_target(), send=lambda _message: None)
    live.tune(process, small_target(), logs_of_nobody())
    assert resource.RLIMIT_CPU not in limits
    target = small_target(spec=small_spec(rlimits={"CPU": (60, 92)}))
    live.tune(process, target, logs_of_nobody())
    assert limits[resource.RLIMIT_CPU] == (60, 92)


def test_the_default_priority_under_a_nice_manager_is_the_managers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(live.os, "getpriority", lambda _which, pid: asked[-1] if asked and pid else 10)
    monkeypatch.setattr(live.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(live.os, "listdir", lambda _path: ["4711"])
    monkeypatch.setattr(live.os, "setpriority", lambda _which, _pid, priority: asked.append(priority))
    for priority in (0, 10, 15):
        live.set_priority(4711, priority)
    assert asked == [15]
    monkeypatch.setattr(live.os, "geteuid", lambda: 0)
    live.set_priority(4711, 0)
    assert asked == [15, 0]


def test_a_priority_that_does_not_take_effect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.os, "getpriority", lambda _which, _pid: 0)
    monkeypatch.setattr(live.os, "listdir", lambda _path: ["4711"])
    monkeypatch.setattr(live.os, "setpriority", lambda _which, _pid, _priority: None)
    with pytest.raises(OSError, match="0 still"):
        live.set_priority(4711, 5)


def test_a_limit_that_does_not_take_effect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.resource, "prlimit", lambda _pid, _number, _pair: None)
    process: Any = SimpleNamespace(
        life=7, pid=os.getpid(), info={"slot": 1}, given=small_target(), send=lambda _message: None
    )
    here = os.getpriority(os.PRIO_PROCESS, 0)
    refused = live.tune(
        process, small_target(spec=small_spec(cpu_priority=here, rlimits={"FSIZE": (12345, 12345)})), logs_of_nobody()
    )
    assert "RLIMIT_FSIZE: it is" in refused


def test_a_process_is_asked_whether_it_goes_by_what_it_was_told() -> None:
    words = dict.fromkeys(board.WORD, 0)
    process: Any = SimpleNamespace(told=7, exited=False, snapshot=lambda: board.Snapshot(words, {}))
    assert live.taken_over(process)  # on its way up: it is told again
    words["state"] = board.STATE["ready"]
    assert live.taken_over(process)  # a version that does not say
    words["tuned"] = 1
    assert not live.taken_over(process)
    words["tuned"] = 7
    assert live.taken_over(process)
