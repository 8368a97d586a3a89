"""What groups share: who gets it, and what is said to who does not."""

from __future__ import annotations

from wsgigroups.plan.scaling import Want
from wsgigroups.plan.scaling_budget import Ask, Shared, share

MIB = 1024**2


def ask(want: int, wait_s: float = 0.0, **more: int) -> Ask:
    return Ask(1, Want(want, "busy", wait_s), process_bytes=50 * MIB, **more)


def test_with_room_everybody_gets_what_it_wants() -> None:
    given = share({"a": ask(3), "b": ask(1), "c": ask(0)}, Shared())
    assert {name: want.processes for name, want in given.items()} == {"a": 3, "b": 1, "c": 0}
    assert not any(want.held for want in given.values())


def test_who_waits_longest_is_first() -> None:
    given = share({"a": ask(4, 0.1), "b": ask(4, 0.5), "c": ask(1)}, Shared(processes_left=4))
    assert {name: want.processes for name, want in given.items()} == {"a": 2, "b": 4, "c": 1}
    assert given["a"].held == "processes-max of [server]"
    assert not given["b"].held


def test_memory_is_given_once_and_those_on_their_way_have_theirs() -> None:
    shared = Shared(memory_left_bytes=190 * MIB)
    given = share({"a": ask(4, 0.5), "b": ask(4, 0.1)}, shared)
    assert {name: want.processes for name, want in given.items()} == {"a": 4, "b": 1}
    assert "memory-reserve" in given["b"].held
    given = share({"a": ask(4, 0.5), "b": ask(1, starting=2)}, shared)
    assert given["a"].processes == 2


def test_the_limit_of_a_group_is_its_own() -> None:
    given = share({"a": ask(4, room_bytes=130 * MIB), "b": ask(4)}, Shared(memory_left_bytes=10**12))
    assert (given["a"].processes, given["b"].processes) == (3, 4)
    assert "memory-max" in given["a"].held


def test_pressure_holds_all() -> None:
    given = share({"a": ask(4), "b": ask(0)}, Shared(pressure=25.0))
    assert (given["a"].processes, given["b"].processes) == (1, 0)
    assert "25 %" in given["a"].held


def test_more_than_there_may_be_are_taken_from_nobody() -> None:
    assert share({"a": ask(2)}, Shared(processes_left=-5))["a"].processes == 1
