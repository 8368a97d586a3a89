"""Applies in a world, for the tests of what they come to."""

from __future__ import annotations

from tests.simulation.world import World
from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.plan.desired import GroupTarget


def tell(world: World, *targets: GroupTarget, revision: int | None = None, renewed: str = "") -> int:
    """Begin an apply; return the number of its change. renewed: a group that has new code."""
    number = world.state.next_change
    names = frozenset({renewed} - {""})
    world.tell(model.Apply({t.name: t for t in targets}, revision or world.state.revision + 1, renewed=names))
    return number


def apply(world: World, *targets: GroupTarget) -> model.Change:
    """Begin an apply and wait for longer than it takes."""
    number = tell(world, *targets)
    world.run(world.now + 30.0)
    return world.state.changes[number]


def lives(world: World, group: str) -> set[int]:
    """All lives of a group."""
    return {record.life for record in world.state.groups[group].records}


def ready(world: World, group: str, fingerprint: str = "") -> set[int]:
    """Those that are ready, of this fingerprint."""
    records = world.state.groups[group].records
    return {r.life for r in records if r.state is Tenancy.READY and r.fingerprint.startswith(fingerprint)}


def until_ready(world: World, group: str, fingerprint: str) -> None:
    """Wait for a process of this fingerprint."""
    while not ready(world, group, fingerprint):
        world.run(world.now + 0.001)


def hold(world: World, group: str) -> None:
    """Let the processes of a group that are asked for not get ready."""
    for record in world.state.groups[group].records:
        if record.state is Tenancy.SPAWNING:
            world.daemons[record.life].mood = "never-ready"


def fail(world: World, group: str) -> None:
    """Let the next process of a group that is on its way up fail; those of other groups are good."""
    while not any(r.state is Tenancy.STARTING for r in world.state.groups[group].records):
        world.run(world.now + 0.001)
    record = next(r for r in world.state.groups[group].records if r.state is Tenancy.STARTING)
    world.tell(model.LifeFailed(record.life, "import", "cannot import", "Traceback …"))
    world.daemons[record.life].alive = False
    world.tell(model.LifeExited(record.life, Exit(216, 0)))


def give_up(world: World, group: str) -> None:
    """Let no attempt at the next process of a group succeed."""
    while not any(r.state is Tenancy.SPAWNING for r in world.state.groups[group].records):
        world.run(world.now + 0.001)
    record = next(r for r in world.state.groups[group].records if r.state is Tenancy.SPAWNING)
    world.daemons[record.life].lost = True
    world.tell(model.LifeRefused(record.life, "no such interpreter", permanent=True))


def fingerprints(world: World) -> dict[str, set[str]]:
    """Of all processes, by group."""
    return {name: {r.fingerprint for r in group.records} for name, group in world.state.groups.items()}
