"""Which processes are strays of a life: the decision, on made-up processes; and that this very process is killed."""

from __future__ import annotations

import fcntl
import os

import pytest
from support.faults import outlives

from wsgigroups.manager.supervision.cgroups import strays
from wsgigroups.manager.supervision.cgroups.strays import (
    Ended,
    Seen,
    Spared,
    adopted,
    find_strays,
    kill,
    look_at,
    mark_of,
)

MANAGER, SPAWNER, LIFE, OTHER = 10, 11, 20, 30
ALICE, BOB = 1001, 1002
MOLD = 12
SPARED = Spared(MANAGER, frozenset({OTHER}), frozenset({SPAWNER}), frozenset({SPAWNER, 50, 51}), frozenset({MOLD}))


def ended(**changes: object) -> Ended:
    values: dict[str, object] = {
        "pid": LIFE, "uid": ALICE, "started": 100, "descendants": frozenset(), "marks": frozenset(), "alone": False,
        "since": 100,
    }  # fmt: skip
    return Ended(**{**values, **changes})  # type: ignore[arg-type]


def found(life: Ended, *processes: Seen, uids: dict[int, int] | None = None, holding: tuple[int, ...] = ()) -> set[int]:
    always = [Seen(1, 0, 1, 0), Seen(MANAGER, 1, MANAGER, 5), Seen(SPAWNER, MANAGER, SPAWNER, 6)]
    always.append(Seen(MOLD, SPAWNER, MOLD, 105))
    living = Seen(OTHER, SPAWNER, OTHER, 110)
    seen = {process.pid: process for process in (*always, living, *processes)}
    return find_strays(
        [life], seen, SPARED,
        user_ids=lambda pid: frozenset({(uids or {}).get(pid, ALICE)}),
        holds=lambda pid, marks: bool(marks) and pid in holding,
    )  # fmt: skip


ORPHAN = Seen(50, MANAGER, 49, 200)


def test_who_is_in_its_session_or_descends_from_it() -> None:
    assert found(ended(), Seen(40, 1, LIFE, 150)) == {40}
    assert found(ended(), Seen(LIFE, SPAWNER, LIFE, 100), Seen(40, LIFE, 40, 150), Seen(41, 40, 41, 160)) == {40, 41}
    assert found(ended(descendants=frozenset({(40, 150)})), Seen(40, 1, 40, 150)) == {40}


def test_another_process_that_has_the_number_of_a_descendant_now_is_none() -> None:
    assert found(ended(descendants=frozenset({(40, 150)})), Seen(40, 1, 40, 151)) == set()


def test_who_belongs_to_a_stranger_that_has_the_number_of_the_life_now_is_none() -> None:
    stranger = Seen(LIFE, 1, LIFE, 300)
    assert found(ended(), stranger, Seen(40, LIFE, LIFE, 310), Seen(41, 40, 41, 320)) == set()
    held = ended(descendants=frozenset({(42, 150)}), marks=frozenset({"pipe:[1]"}))
    assert found(held, stranger, Seen(42, 1, 42, 150), Seen(43, 1, 43, 160), holding=(43,)) == {42, 43}


def test_nobody_who_is_older_than_the_life() -> None:
    assert found(ended(), Seen(40, 1, LIFE, 99)) == set()
    assert found(ended(alone=True), Seen(50, MANAGER, 49, 99)) == set()


def test_an_orphan_that_an_earlier_life_has_left() -> None:
    assert found(ended(alone=True, since=80), Seen(50, MANAGER, 49, 99)) == {50}
    assert found(ended(alone=True, since=80), Seen(50, MANAGER, 49, 79)) == set()
    assert found(ended(alone=False, since=80), Seen(50, MANAGER, 49, 99)) == set()
    assert found(ended(alone=True, since=80), Seen(40, 1, LIFE, 99)) == set(), "who is no orphan of the manager's"


def test_an_orphan_only_where_no_other_life_of_its_user_is_left() -> None:
    assert found(ended(alone=True), ORPHAN) == {50}
    assert found(ended(), ORPHAN) == set()


def test_an_orphan_of_a_spawner_is_one_and_what_is_just_forked_is_none() -> None:
    assert found(ended(alone=True), Seen(40, SPAWNER, 49, 200), Seen(41, 40, 49, 200)) == {40}
    assert found(ended(), Seen(40, SPAWNER, LIFE, 200)) == {40}
    for session in (SPAWNER, MOLD):
        assert found(ended(alone=True), Seen(40, SPAWNER, session, 200), Seen(41, 40, session, 200)) == set()


def test_a_mold_and_what_it_forks_are_none() -> None:
    held = ended(alone=True, descendants=frozenset({(MOLD, 105)}), marks=frozenset({"pipe:[1]"}))
    assert found(held, Seen(41, MOLD, MOLD, 200), holding=(MOLD, 41)) == set()


def test_children_of_another_thread_of_the_manager_are_its_helpers() -> None:
    assert found(ended(alone=True), Seen(60, MANAGER, 60, 200)) == set()


def test_nobody_of_another_user() -> None:
    assert found(ended(alone=True), ORPHAN, uids={50: BOB}) == set()
    assert found(ended(marks=frozenset({"pipe:[1]"})), ORPHAN, uids={50: BOB}, holding=(50,)) == set()


def test_who_holds_what_the_life_was_given() -> None:
    assert found(ended(marks=frozenset({"pipe:[1]"})), Seen(40, 1, 40, 150), holding=(40,)) == {40}


def test_lives_spawners_what_they_fork_and_what_descends_from_lives_are_spared() -> None:
    marks = frozenset({"socket:[1]"})
    just_forked, child_of_life = Seen(31, SPAWNER, SPAWNER, 300), Seen(32, OTHER, 32, 300)
    everybody = (1, MANAGER, SPAWNER, OTHER, 31, 32)
    assert found(ended(marks=marks, alone=True), just_forked, child_of_life, holding=everybody) == set()


def test_who_has_ended_is_not_ended_again() -> None:
    assert found(ended(), Seen(40, 1, LIFE, 150, "Z")) == set()


def test_a_stray_is_killed_and_who_has_its_number_later_is_not() -> None:
    pid = os.fork()
    if pid == 0:
        os.read(os.pipe()[0], 1)
        os._exit(0)
    stray = look_at(pid)
    assert stray is not None
    assert (stray.parent, stray.session) == (os.getpid(), os.getsid(0))
    assert pid in adopted()
    kill(Seen(pid, stray.parent, stray.session, stray.started - 1))
    assert outlives(pid, 0.2)
    kill(stray)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == 9
    kill(stray)  # it is gone: nothing happens
    assert look_at(pid) is None


def test_both_ends_of_a_pipe_have_one_mark() -> None:
    ends = os.pipe()
    try:
        assert mark_of(ends[0]) == mark_of(ends[1])
        assert mark_of(ends[0]).startswith("pipe:[")
    finally:
        for end in ends:
            os.close(end)
    with pytest.raises(OSError, match="No such file"):
        mark_of(ends[0])


def test_no_more_links_of_a_process_are_read_than_there_is_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs a microsecond, and a tenant has as many as it likes, in as many processes."""
    read_end, write_end = os.pipe()
    highest = fcntl.fcntl(write_end, fcntl.F_DUPFD_CLOEXEC, 900)
    mark = strays.mark_of(write_end)
    os.close(read_end)
    os.close(write_end)
    try:
        assert strays.holds(os.getpid(), frozenset({mark}))
        monkeypatch.setattr(strays, "_MAXIMUM_LINKS", 2)
        assert not strays.holds(os.getpid(), frozenset({mark}))
    finally:
        os.close(highest)
