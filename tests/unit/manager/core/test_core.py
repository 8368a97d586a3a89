"""The manager's decisions, one story per test: apply, failure, rollback, restart, removal, shutdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulation.world import World, target
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.lifecycle.step import Exit, Timings
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import handling, model
from wsgigroups.plan.desired import CgroupTarget


@pytest.fixture
def world() -> World:
    return World(seed=1, moods=("good",))


def apply(world: World, *targets: object, moods: tuple[str, ...] = ("good",)) -> model.Change:
    world.moods = moods
    number = world.state.next_change
    world.tell(model.Apply({t.name: t for t in targets}, world.state.revision + 1))  # type: ignore[attr-defined]
    world.run(world.now + 30.0)
    return world.state.changes[number]


def lives(world: World, group: str) -> set[int]:
    return {record.life for record in world.state.groups[group].records}


def test_apply_from_nothing_is_done_when_all_are_ready(world: World) -> None:
    change = apply(world, target("blog", 3, 1))
    assert change.outcome == "done"
    assert [r.state for r in world.state.groups["blog"].records] == [Tenancy.READY] * 3
    assert sorted(r.slot for r in world.state.groups["blog"].records) == [1, 2, 3]


def test_changing_one_group_leaves_the_others_alone(world: World) -> None:
    apply(world, target("blog", 2, 1), target("shop", 2, 1))
    before = lives(world, "shop")
    change = apply(world, target("blog", 2, 2), target("shop", 2, 1))
    assert set(change.groups) == {"blog"}
    assert lives(world, "shop") == before
    assert {r.fingerprint for r in world.state.groups["blog"].records} == {"blog-2"}


def test_scaling_leaves_the_processes_alone_that_stay(world: World) -> None:
    apply(world, target("blog", 2, 1))
    before = lives(world, "blog")
    world.tell(model.Scale({"blog": 4}))
    world.run(world.now + 10)
    assert before < lives(world, "blog")
    world.tell(model.Scale({"blog": 2}))
    world.run(world.now + 10)
    assert lives(world, "blog") == before


def test_the_next_life_of_a_slot_has_the_durations_of_today(world: World) -> None:
    apply(world, target("blog", 1, 1, startup_s=5.0), moods=("never-ready",))
    apply(world, target("blog", 1, 1, startup_s=50.0, shutdown_s=9.0), moods=("never-ready",))
    world.tell(model.Start(("blog",)))
    (record,) = world.state.groups["blog"].records
    assert record.timings == Timings(50.0, 9.0)


def test_a_first_start_that_fails_is_reported_and_goes_on_trying(world: World) -> None:
    change = apply(world, target("blog", 1, 1), target("shop", 1, 1), moods=("good",))
    assert change.outcome == "done"
    change = apply(world, target("blog", 1, 1), target("shop", 1, 1), target("bad", 1, 1), moods=("fails",))
    assert change.outcome == "failed"
    assert change.groups["bad"].error is not None
    assert change.groups["bad"].error.traceback == "Traceback …"
    assert world.state.groups["bad"].records[0].state in (Tenancy.COOLING, Tenancy.STARTING, Tenancy.SPAWNING)
    world.moods = ("good",)
    world.run(world.now + 60)
    assert world.settled()


def test_a_rollout_that_fails_returns_to_what_served(world: World) -> None:
    apply(world, target("blog", 2, 1))
    before = lives(world, "blog")
    change = apply(world, target("blog", 2, 2), moods=("fails",))
    assert change.outcome == "rolled-back"
    assert lives(world, "blog") == before
    group = world.state.groups["blog"]
    assert group.target.fingerprint == "blog-1"
    assert group.last_error is not None
    world.moods = ("good",)
    assert apply(world, target("blog", 2, 2)).outcome == "done"


def test_a_successor_that_dies_soon_after_ready_ends_the_rollout(world: World) -> None:
    apply(world, target("blog", 2, 1))
    number = world.state.next_change
    world.tell(model.Apply({"blog": target("blog", 2, 2)}, 2))
    while not any(r.fingerprint == "blog-2" and r.state is Tenancy.READY for r in world.state.groups["blog"].records):
        world.run(world.now + 0.01)
    newcomer = next(r for r in world.state.groups["blog"].records if r.fingerprint == "blog-2")
    world.end(newcomer.life)
    world.run(world.now + 60)
    assert world.state.changes[number].outcome == "rolled-back"
    assert world.settled()
    assert {r.fingerprint for r in world.state.groups["blog"].records} == {"blog-1"}


def test_a_restart_whose_successor_fails_keeps_the_old_processes(world: World) -> None:
    apply(world, target("blog", 2, 1))
    before = lives(world, "blog")
    world.moods = ("fails",)
    world.tell(model.Restart(("blog",)))
    world.run(world.now + 30)
    assert world.state.changes[2].outcome == "rolled-back"
    assert lives(world, "blog") == before


@pytest.mark.parametrize(("reloading", "told"), [(False, 0), (True, 0), ("wait", 1)])
def test_processes_that_hold_requests_for_a_successor_are_told_that_there_is_none(
    world: World, reloading: bool | str, told: int
) -> None:
    wanted = target("blog", 2, 1)
    apply(world, replace(wanted, spec=replace(wanted.spec, script_reloading=reloading)))
    before = lives(world, "blog")
    world.moods = ("fails",)
    seen = len(world.history)
    world.tell(model.ScriptChanged(min(before)))
    world.run(world.now + 30)
    found = [what for _when, what in world.history[seen:] if isinstance(what, model.ServeOn)]
    assert [set(command.lives) for command in found] == [before] * told
    assert lives(world, "blog") == before


def test_restart_replaces_every_life(world: World) -> None:
    apply(world, target("blog", 3, 1))
    before = lives(world, "blog")
    world.tell(model.Restart(("blog",)))
    world.run(world.now + 30)
    assert not before & lives(world, "blog")
    assert world.state.changes[2].outcome == "done"


def test_a_crash_is_followed_and_counted(world: World) -> None:
    apply(world, target("blog", 1, 1))
    world.end(1)
    world.run(world.now + 5)
    group = world.state.groups["blog"]
    assert (group.restarts, group.records[0].state) == (1, Tenancy.READY)
    assert group.last_error is not None
    assert "signal 9" in group.last_error.message


@pytest.mark.parametrize(
    ("memory_max", "cause"),
    [(64 << 20, "memory-max 64M was reached"), (0, "the machine had no memory left")],
)
def test_a_life_that_the_kernel_killed_for_memory_says_so(world: World, memory_max: int, cause: str) -> None:
    apply(world, replace(target("blog", 1, 1), cgroup=CgroupTarget(memory_max_bytes=memory_max)))
    world.tell(model.LifeExited(1, Exit(-1, 9), group="blog", out_of_memory=True))
    error = world.state.groups["blog"].last_error
    assert error is not None
    assert error.message == f"killed by signal 9: out of memory, {cause}"


def test_a_limit_that_the_kernel_refuses_is_a_change_that_failed(world: World) -> None:
    apply(world, target("blog", 1, 1))
    world.answers_tuning = False
    number = world.state.next_change
    before = target("blog", 1, 1)
    limited = replace(before, cgroup=CgroupTarget(tasks_max=9), options={**before.options, "tasks-max": "9"})
    world.tell(model.Apply({"blog": limited}, 2))
    world.tell(model.GroupTuned("blog", (1,), {}, "tasks-max: 9 in pids.max: Operation not permitted"))
    change = world.state.changes[number]
    assert change.outcome == "failed"
    assert change.groups["blog"].error is not None
    assert "not in force: tasks-max" in change.groups["blog"].error.message
    assert lives(world, "blog") == {1}, "other processes would not have it either"


def test_a_broken_group_does_not_touch_another(world: World) -> None:
    apply(world, target("blog", 2, 1))
    before = lives(world, "blog")
    apply(world, target("blog", 2, 1), target("bad", 3, 1), moods=("fails",))
    assert lives(world, "blog") == before


def test_removal_drains_and_releases(world: World) -> None:
    apply(world, target("blog", 2, 1), target("shop", 1, 1))
    change = apply(world, target("shop", 1, 1))
    assert change.outcome == "done"
    assert "blog" not in world.state.groups
    assert world.released == {"blog"}


def test_stop_keeps_a_group_stopped_through_an_apply(world: World) -> None:
    apply(world, target("blog", 2, 1))
    world.tell(model.Stop(("blog",)))
    world.run(world.now + 10)
    assert world.state.changes[2].outcome == "done"
    assert apply(world, target("blog", 2, 2)).outcome == "done"
    assert world.state.groups["blog"].records == ()
    world.tell(model.Start(("blog",)))
    world.run(world.now + 10)
    assert world.settled()


def test_shutdown_now_kills_what_a_drain_would_wait_for() -> None:
    world = World(seed=2, moods=("deaf",))
    apply(world, target("blog", 2, 1, shutdown_s=1000.0), moods=("deaf",))
    world._check_grace = lambda _daemon: None  # type: ignore[method-assign]  # now means now
    world.tell(model.Shutdown(now=True))
    world.run(world.now + 2.0)
    assert not world.state.groups


def test_a_worn_life_is_followed_before_it_leaves_in_its_window(world: World) -> None:
    apply(world, target("blog", 1, 1))
    world.tell(model.LifeWorn(1, "maximum-requests"))
    states = {r.life: r.state for r in world.state.groups["blog"].records}
    assert states == {1: Tenancy.READY, 2: Tenancy.SPAWNING}
    while world.state.find(1) and world.state.find(1)[1].state is Tenancy.READY:  # type: ignore[index]
        world.run(world.now + 0.01)
    leaving = world.state.find(1)
    assert leaving is None or (leaving[1].window_s, leaving[1].reason) == (2.0, "maximum-requests")
    world.run(world.now + 30)
    assert lives(world, "blog") == {2}


@pytest.mark.parametrize(("reason", "window_s"), [("maximum-requests", 2.0), ("signal", 3.0)])
def test_a_signal_has_the_eviction_window_and_a_stop_ends_any(reason: str, window_s: float) -> None:
    world = World(seed=3, moods=("deaf",))
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    world.run(world.now + 5.0)
    world.tell(model.LifeWorn(1, reason))
    while world.state.find(1)[1].state is Tenancy.READY:  # type: ignore[index]
        world.run(world.now + 0.01)
    record = world.state.find(1)[1]  # type: ignore[index]
    assert (record.state, record.window_s) == (Tenancy.DRAINING, window_s)
    world.tell(model.Stop(("blog",)))
    hurried = world.state.find(1)[1]  # type: ignore[index]
    assert (hurried.window_s, hurried.reason) == (0.0, reason)
    assert hurried.deadline is not None
    assert record.deadline is not None
    assert hurried.deadline < record.deadline - window_s + 0.1


def test_a_worn_life_that_leaves_by_itself_does_not_cost_its_successor_the_slot(world: World) -> None:
    apply(world, target("blog", 1, 1))
    world.tell(model.LifeWorn(1, "signal"))
    world.end(1)
    world.run(world.now + 10)
    group = world.state.groups["blog"]
    assert [(r.life, r.state) for r in group.records] == [(2, Tenancy.READY)]
    assert (group.restarts, group.recycle, group.last_error) == (0, {}, None)


def test_a_stalled_life_is_followed_at_once_and_killed_when_deaf() -> None:
    world = World(seed=3)
    apply(world, target("blog", 1, 1), moods=("deaf",))
    world.moods = ("good",)
    world.tell(model.LifeStalled(1, "deadlock-timeout", "no heartbeat"))
    world.run(world.now + 1.0)
    states = {r.life: r.state for r in world.state.groups["blog"].records}
    assert states == {1: Tenancy.DRAINING, 2: Tenancy.READY}
    world.run(world.now + 10.0)
    assert lives(world, "blog") == {2}


@pytest.mark.parametrize(("graceful", "window_s"), [(False, 0.0), (True, 2.0)])
def test_a_life_with_a_stuck_request_has_its_graceful_window_for_the_others(graceful: bool, window_s: float) -> None:
    world = World(seed=3)
    apply(world, target("blog", 1, 1, shutdown_s=1.0), moods=("deaf",))
    world.moods = ("good",)
    world.tell(model.Apply({"blog": target("blog", 1, 1, shutdown_s=4.0)}, world.state.revision + 1))  # live
    world.tell(model.LifeStalled(1, "request-timeout", "a request runs for 9.0 s", graceful=graceful))
    (record,) = [r for r in world.state.groups["blog"].records if r.life == 1]
    assert (record.state, record.reason, record.window_s) == (Tenancy.DRAINING, "request-timeout", window_s)
    assert record.deadline == world.now + window_s + 4.0 + 1.0


def test_what_a_stalled_life_had_under_way_is_on_its_slots_record(world: World) -> None:
    apply(world, target("blog", 2, 1))
    stalled = next(r for r in world.state.groups["blog"].records if r.slot == 2).life
    world.tell(model.LifeStalled(stalled, "request-timeout", "a request runs for 9.0 s"))
    world.tell(model.LifeTold(stalled, ("GET /stuck for 9.0 s",), "Thread x\n"))
    world.run(world.now + 10)
    world.end(1)
    world.run(world.now + 10)
    group = world.state.groups["blog"]
    assert group.last_error is not None
    assert "signal 9" in group.last_error.message  # the later one; the slot's own stays
    assert group.deaths[2] == model.LastError(
        2, stalled, "request-timeout: a request runs for 9.0 s", "in flight: GET /stuck for 9.0 s\nThread x\n", "",
        ("GET /stuck for 9.0 s",),
    )  # fmt: skip


def test_a_ready_life_that_does_not_load_is_killed_and_followed_with_backoff(world: World) -> None:
    apply(world, target("blog", 1, 1))
    life = next(iter(lives(world, "blog")))
    _state, commands = handling.handle(world.state, model.LifeOverdue(life, "startup-timeout", "not loaded"), world.now)
    kills = [command for command in commands if isinstance(command, model.KillLife)]
    assert [(kill.record.life, kill.after_s > 0) for kill in kills] == [(life, True)]  # first it may tell
    world.tell(model.LifeOverdue(life, "startup-timeout", "not loaded"))
    world.run(world.now + kills[0].after_s + 0.015)
    (record,) = world.state.groups["blog"].records
    assert (record.failures, world.state.groups["blog"].restarts) == (1, 1)
    error = world.state.groups["blog"].last_error
    assert error is not None
    assert (error.life, error.message) == (life, "startup-timeout: not loaded")


def test_three_starts_in_a_row_without_memory_name_the_limit(world: World) -> None:
    hungry = replace(target("blog", 1, 1), options={"memory-limit": str(64 << 20), "virtual-memory-limit": "0"})
    world.moods = ("never-ready",)
    world.tell(model.Apply({"blog": hungry}, 1))
    messages = []
    for reason in ("memory-limit", "", "memory-limit", "memory-limit", "memory-limit", "memory-limit"):
        while not any(r.state is Tenancy.STARTING for r in world.state.groups["blog"].records):
            world.run(world.now + 0.01)
        (record,) = world.state.groups["blog"].records
        world.tell(model.LifeFailed(record.life, "import", "cannot import it: MemoryError", "", reason))
        error = world.state.groups["blog"].last_error
        assert error is not None
        messages.append(error.message)
        world.end(record.life)
        world.run(world.now + 0.001)
    named = "memory-limit 64M is too small: {} starts in a row ran out of memory; cannot import it: MemoryError"
    assert messages == ["cannot import it: MemoryError"] * 4 + [named.format(3), named.format(4)]


def test_a_message_of_a_life_that_is_over_changes_nothing(world: World) -> None:
    apply(world, target("blog", 1, 1))
    events: list[Callable[[], model.Event]] = [
        lambda: model.LifeBecameReady(99),
        lambda: model.LifeWorn(99, "restart-interval"),
        lambda: model.LifeStalled(99, "deadlock-timeout"),
        lambda: model.LifeFailed(99, "import", "cannot", ""),
        lambda: model.LifeOverdue(99, "startup-timeout"),
        lambda: model.LifeTold(99, ("GET / for 1.0 s",)),
    ]
    for make in events:
        state, commands = handling.handle(world.state, make(), world.now)
        assert state == world.state
        assert commands == ()


def test_a_later_change_overtakes_a_pending_one(world: World) -> None:
    apply(world, target("blog", 1, 1))
    world.tell(model.Restart(("blog",)))
    world.tell(model.Restart(("blog",)))
    world.run(world.now + 30)
    assert [world.state.changes[n].outcome for n in (2, 3)] == ["overtaken", "done"]


def test_deadlines_move_by_the_time_the_manager_was_stopped(world: World) -> None:
    apply(world, target("blog", 1, 1), moods=("deaf",))
    world.tell(model.Stop(("blog",)))
    before = handling.next_deadline(world.state)
    assert before is not None
    assert handling.next_deadline(handling.extend_deadlines(world.state, 30.0)) == before + 30.0


def test_an_unknown_group_is_named_with_the_ones_that_exist(world: World) -> None:
    apply(world, target("blog", 1, 1))
    with pytest.raises(WsgigroupsError, match="cannot find group 'blgo'") as caught:
        handling.check_groups(world.state, ["blgo"])
    assert caught.value.exit_code is ExitCode.NO_SUCH_GROUP
    assert caught.value.hint == "groups here: blog"


def test_the_limit_of_a_fork_counts_from_its_turn() -> None:
    state, commands = handling.handle(model.State(), model.Apply({"blog": target("blog", 2, 1)}, 1), 100.0)
    first, second = (command.record for command in commands if isinstance(command, model.SpawnLife))
    state, commands = handling.handle(state, model.StillQueued((second.life,)), 125.0)
    assert not commands
    waiting = {record.life: record for record in state.groups["blog"].records}
    assert (waiting[first.life].deadline, waiting[first.life].spawned_at) == (130.0, 100.0)
    assert (waiting[second.life].deadline, waiting[second.life].spawned_at) == (155.0, 125.0)


def test_what_is_known_of_a_process_is_no_news_of_a_queue() -> None:
    state, commands = handling.handle(model.State(), model.Apply({"blog": target("blog", 1, 1)}, 1), 100.0)
    (life,) = (command.record.life for command in commands if isinstance(command, model.SpawnLife))
    state, _commands = handling.handle(state, model.LifeSpawned(life, 7), 101.0)
    assert handling.handle(state, model.StillQueued((life, 99)), 125.0) == (state, ())


def test_processes_without_the_socket_that_clients_reach_are_followed_without_a_change(world: World) -> None:
    apply(world, target("blog", 3, 1))
    before, changes = lives(world, "blog"), len(world.state.changes)
    world.tell(model.ListenersRenewed("blog"))
    least = 3
    for _step in range(40):
        world.run(world.now + 0.25)
        ready = [r for r in world.state.groups["blog"].records if r.state is Tenancy.READY]
        least = min(least, len(ready))
    assert not before & lives(world, "blog")
    assert (least, len(ready), len(world.state.changes)) == (3, 3, changes)
    assert world.state.groups["blog"].restarts == 0


@pytest.mark.parametrize("group", ["blog", "no such"])
def test_a_stopped_group_or_none_has_nobody_to_follow(world: World, group: str) -> None:
    apply(world, target("blog", 2, 1))
    world.tell(model.Stop(("blog",)))
    world.run(world.now + 10)
    before = world.state
    world.tell(model.ListenersRenewed(group))
    assert world.state == before


def test_an_apply_waits_for_what_is_not_ready_although_nothing_differs() -> None:
    world = World(seed=1, moods=("good",))
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    number = world.state.next_change
    world.tell(model.Apply({"blog": target("blog", 1, 1)}, 1))
    assert world.state.changes[number].outcome == "pending"
    world.run(world.now + 10.0)
    assert world.state.changes[number].outcome == "done"
