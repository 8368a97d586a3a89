"""The law of scaling, look by look: what is remembered, what is wanted, and why not more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wsgigroups.plan.scaling import (
    FORGIVEN_S,
    LOOK_S,
    MOST_DELAY_S,
    Cores,
    LoadSeen,
    Memory,
    ScalingTarget,
    Want,
    scaling_from_json,
    step,
    woken,
)

LIMITS = ScalingTarget(minimum=1, maximum=10)
IDLE = Cores(8, 8)


class Looked:
    """Looks in a row at one group, which obeys at once."""

    def __init__(self, limits: ScalingTarget = LIMITS, cores: Cores = IDLE, processes: int = 1) -> None:
        self.limits, self.cores, self.now = limits, cores, 0.0
        self.memory: Memory | None = None
        self.processes = processes
        self.want = Want(processes, "")

    def look(self, times: int = 1, **found: Any) -> Want:
        """found: as of LoadSeen; busy and cpu are threads and processors in place of seconds."""
        passed_s = found.pop("passed_s", LOOK_S)
        busy_s, cpu_s = found.pop("busy", 0) * passed_s, found.pop("cpu", 0) * passed_s
        for _ in range(times):
            self.now += passed_s
            values = {"wanted": self.processes, "ready": self.processes, "threads": 4, **found}
            look = LoadSeen(passed_s=passed_s, busy_s=busy_s, cpu_s=cpu_s, **values)
            self.memory, self.want = step(self.memory, self.limits, look, self.cores, self.now)
            self.processes = self.want.processes
        return self.want


def test_busy_threads_come_to_the_target() -> None:
    looked = Looked(processes=3)
    assert looked.look(busy=8.4).processes == 3  # 8.4 of 12 are 70 %
    looked = Looked(processes=3)
    assert looked.look(busy=9).processes == 4
    assert looked.want.reason == "75% of 3 × 4 threads busy, target 70%"


def test_one_look_in_a_crowd_is_averaged() -> None:
    looked = Looked()
    looked.look(times=8, busy=1)
    assert looked.look(busy=4).processes == 1


def test_requests_that_wait_at_two_looks_have_processes_for_all_of_them() -> None:
    looked = Looked(processes=4)
    assert looked.look(busy=1, queued=9, taken=1, waited_s=0.3).processes == 4
    assert looked.look(busy=1, queued=9, taken=1, waited_s=0.3).processes == 7
    assert looked.want.reason == "requests wait 2250 ms, target 100 ms"


def test_a_look_in_between_neither_counts_nor_forgets() -> None:
    looked = Looked(processes=4)
    looked.look(queued=9, taken=1)
    assert looked.look(queued=9, taken=1, passed_s=0.01).processes == 4
    assert looked.look(queued=9, taken=1).processes == 7


def test_no_queue_target_is_none() -> None:
    looked = Looked(replace(LIMITS, queue_target_s=0.0))
    assert looked.look(times=4, queued=50, taken=1).processes == 1


def test_twice_as_many_at_most_until_they_are_ready() -> None:
    looked = Looked(processes=2)
    assert looked.look(times=2, queued=100, taken=1).processes == 4
    assert looked.look(queued=100, taken=1, ready=2, starting=2).processes == 4
    assert looked.look(queued=100, taken=1).processes == 8
    assert looked.look(queued=100, taken=1).processes == 10
    assert looked.look(queued=100, taken=1).held == "processes-max = 10"


def test_nothing_grows_of_which_nothing_came_up() -> None:
    looked = Looked()
    assert looked.look(times=4, busy=50, ready=0).processes == 1


def test_an_interpreter_that_is_the_limit_has_another_beside_it_while_processors_are_idle() -> None:
    looked = Looked()
    assert looked.look(busy=1, cpu=0.9).reason == "0.90 processors a process, its interpreter is the limit"
    assert looked.look(times=8, busy=1, cpu=0.9).processes == 2
    busy = Looked(cores=Cores(8, 0.4))
    assert busy.look(times=8, busy=1, cpu=0.9).processes == 1


def test_busy_processors_hold_everything() -> None:
    looked = Looked(cores=Cores(2, 0.1))
    want = looked.look(times=4, busy=4, queued=9, taken=1)
    assert (want.processes, want.held) == (1, "all processors are busy")


def test_threads_that_wait_for_something_else_are_said() -> None:
    looked = Looked(replace(LIMITS, maximum=1))
    assert looked.look(busy=4, cpu=0.1).reason.endswith("more threads would do")


def test_the_minimum_is_started_whatever_is_seen() -> None:
    looked = Looked(replace(LIMITS, minimum=3), Cores(2, 0.0))
    assert looked.look().processes == 3


def test_one_goes_when_fewer_were_enough_for_the_delay_and_no_earlier() -> None:
    looked = Looked(processes=3)
    looked.look(busy=8.4)
    looked.look(times=int(299 / LOOK_S), busy=1)
    assert looked.processes == 3
    looked.look(times=int(12 / LOOK_S), busy=1, leaving=0)
    assert looked.processes == 1
    assert looked.want.reason


@pytest.mark.parametrize("found", [{"rolling": True}, {"starting": 1}, {"leaving": 1}, {"victim": False}])
def test_nobody_goes_now(found: dict[str, Any]) -> None:
    looked = Looked(processes=3)
    looked.look(times=1400, busy=1, **found)
    assert looked.processes == 3


def test_nobody_goes_in_the_minute_after_a_start() -> None:
    looked = Looked(replace(LIMITS, scale_down_delay_s=60.0), processes=3)
    looked.look(times=400, busy=1, starting=1)
    looked.look(times=int(59 / LOOK_S), busy=1)
    assert looked.processes == 3
    looked.look(times=int(3 / LOOK_S), busy=1)
    assert looked.processes < 3


def test_what_stays_has_to_have_room() -> None:
    looked = Looked(processes=3)
    looked.look(times=1400, busy=4.5)  # 56 % of two
    assert looked.processes == 3
    looked.look(times=1400, busy=4.4)
    assert looked.processes == 2


def test_a_start_soon_after_an_end_doubles_the_delay_up_to_an_hour() -> None:
    looked = Looked(processes=2)
    looked.look(times=1300, busy=1)
    assert looked.processes == 1
    looked.look(times=8, busy=4)
    assert looked.processes == 2
    assert looked.memory
    assert looked.memory.delay_s == 600.0
    looked.memory = replace(looked.memory, delay_s=MOST_DELAY_S, lowered_at=looked.now, recent=())
    assert looked.look(busy=8).processes == 3
    assert looked.memory.delay_s == MOST_DELAY_S


def test_a_delay_that_was_long_enough_is_forgotten() -> None:
    looked = Looked(processes=2)
    looked.look(times=1300, busy=1)
    looked.look(times=8, busy=4)
    looked.look(times=int(FORGIVEN_S / 10) + 1, busy=4, passed_s=10.0)
    assert looked.memory
    assert looked.memory.delay_s == 300.0


def test_the_last_one_goes_only_where_that_is_wanted() -> None:
    looked = Looked(replace(LIMITS, minimum=0, sleep_after_s=30.0))
    looked.look(busy=1)
    looked.look(times=int(29 / LOOK_S))
    assert looked.processes == 1
    looked.look(times=int(0.75 / LOOK_S))
    assert looked.look() == Want(0, "no request for 30 s")
    awake = Looked()
    awake.look(times=8000)
    assert awake.processes == 1


def test_who_is_woken_has_its_time() -> None:
    limits = replace(LIMITS, minimum=0, sleep_after_s=30.0)
    memory = woken(Memory(0.0, active_at=0.0), 100.0)
    assert step(memory, limits, LoadSeen(1, 0, 4, 0.25, starting=1), IDLE, 100.25)[1].processes == 1
    assert step(memory, limits, LoadSeen(1, 1, 4, 0.25), IDLE, 129.0)[1].processes == 1


def test_new_limits_hold_at_once() -> None:
    looked = Looked(processes=8)
    looked.limits = replace(LIMITS, maximum=3)
    assert looked.look(busy=1).processes == 3


def test_limits_of_another_version_are_read() -> None:
    assert scaling_from_json(None) is None
    assert scaling_from_json({"minimum": 1, "maximum": 2, "of_later": 3}) == ScalingTarget(1, 2)
