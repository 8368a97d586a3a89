"""Many histories of the core, each from one seed; a failing seed goes into seeds.txt and stays there."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.world import World, target
from wsgigroups.manager.core import model
from wsgigroups.plan.desired import RolloutTarget, Share

SEEDS = [int(line) for line in (Path(__file__).parent / "seeds.txt").read_text().split() if line.isdigit()]


def policy(dice: random.Random) -> RolloutTarget:
    """Any way to replace processes."""
    surge = dice.choice([Share(0), Share(1), Share(25, percent=True), Share(100, percent=True)])
    unavailable = dice.choice([Share(0), Share(1), Share(50, percent=True)])
    return RolloutTarget(
        surge, unavailable, dice.choice([0.0, 1.0, 5.0]), dice.choice([Share(1), Share(2)]), dice.choice([0.0, 3.0])
    )


def act(world: World, versions: dict[str, int]) -> None:
    """One thing a person does, chosen by the seed."""
    pick = world.random.random()
    names = sorted(name for name, group in world.state.groups.items() if not group.removing)
    some = tuple(name for name in names if world.random.random() < 0.5) or tuple(names[:1])
    if pick < 0.45 or not names:
        for name in ("a", "b", "c"):
            chance = world.random.random()
            if chance < 0.2:
                versions.pop(name, None)
            elif chance < 0.7:
                versions[name] = versions.get(name, 0) + world.random.randint(0, 1)
        targets = {
            name: replace(
                target(name, world.random.randint(1, 5), version, startup_s=world.random.choice([0.0, 2.0, 5.0])),
                rollout=policy(world.random),
            )
            for name, version in versions.items()
        }
        world.tell(model.Apply(targets, world.state.revision + 1))
    elif pick < 0.6:
        world.tell(model.Restart(some))
    elif pick < 0.7:
        world.tell(model.Reload(some))
    elif pick < 0.78:
        world.tell(model.Stop(some))
    elif pick < 0.86:
        world.tell(model.Start(some))
    elif pick < 0.93:
        world.tell(model.Scale({some[0]: world.random.randint(1, 8)}))
    else:
        ready = [r for g in world.state.groups.values() for r in g.records if r.ready_at is not None]
        if ready:
            life = world.random.choice(ready).life
            stall = (
                model.LifeStalled(life, "deadlock-timeout") if pick < 0.96 else model.LifeWorn(life, "restart-interval")
            )
            world.tell(stall)


@pytest.mark.parametrize("seed", [*range(300), *SEEDS])
def test_every_history_ends_well(seed: int) -> None:
    world, versions = World(seed), {}
    try:
        for _ in range(world.random.randint(3, 25)):
            act(world, versions)
            world.run(world.now + world.random.choice([0.0, 0.05, 0.5, 4.0, 40.0]))
        world.calm()
        # what was given up needs somebody to ask again; what never gets ready has no startup-timeout to end it
        for _ in range(3):
            for life, daemon in list(world.daemons.items()):
                if daemon.alive and daemon.mood == "never-ready":
                    world.end(life)
            world.tell(model.Restart(tuple(sorted(n for n, g in world.state.groups.items() if not g.removing))))
            world.run(world.now + 400.0)
        assert world.settled(), "not as asked"
        pending = [c for c in world.state.changes.values() if not c.finished]
        assert not pending, f"changes without an end: {pending}"
        assert not any(d.mood in ("never-ready", "fails") and d.alive for d in world.daemons.values())
        quiet = len(world.steps)
        world.run(world.now + 3600.0)
        assert len(world.steps) == quiet, "commands did not cease"
    except AssertionError:
        print(f"seed {seed}; the last steps:")
        print("\n".join(world.steps[-20:]))
        raise


def test_the_same_seed_is_the_same_history() -> None:
    def history(seed: int) -> list[str]:
        world, versions = World(seed), {}
        for _ in range(10):
            act(world, versions)
            world.run(world.now + 3.0)
        return world.steps

    assert history(5) == history(5)
    assert history(5) != history(6)
