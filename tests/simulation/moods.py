"""The processes of a world, each with a mood, and what becomes of the core's commands about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.lifecycle.step import Exit
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model

if TYPE_CHECKING:
    from tests.simulation.world import World
    from wsgigroups.lifecycle.step import Record

MOODS = (
    "good", "good", "good", "slow", "never-ready", "fails", "starves", "deaf", "undying", "dies-later", "dies-soon",
    "refused", "queued", "forked-late",
)  # fmt: skip
SERVING = frozenset({"good", "deaf", "undying", "dies-later", "dies-soon", "queued", "forked-late"})
KILLS = 3  # so many SIGKILLs it takes where a process waits for its disk


@dataclass
class FakeDaemon:
    """One process of the world."""

    life: int
    group: str
    mood: str
    alive: bool = False
    drained_at: float | None = None
    window_s: float = 0.0
    shutdown_s: float = 0.0
    over: bool = False
    lost: bool = False  # its manager or spawner died before it was forked
    orphan: bool = False  # its spawner has died: nobody can tell how it ends
    kills: int = 0
    let_go: bool = False  # it takes no requests any more


def begin(world: World, record: Record, shutdown_s: float) -> FakeDaemon:
    """A process is asked for."""
    dice = world.random
    daemon = FakeDaemon(record.life, record.group, dice.choice(world.moods), shutdown_s=shutdown_s)
    delay_s = dice.uniform(0.001, 0.05)
    if daemon.mood == "queued":  # it is told again and again that its turn has not come
        delay_s = dice.uniform(1.0, 60.0)
        for n in range(1, int(delay_s // 10) + 2):
            world.later(min(10.0 * n, delay_s - 0.001), lambda: model.StillQueued((daemon.life,)), lasts=False)
    elif daemon.mood == "forked-late":
        delay_s = dice.uniform(25.0, 40.0)
    world.later(delay_s, lambda: _forked(world, daemon))
    return daemon


def drain(world: World, daemon: FakeDaemon, record: Record) -> None:
    """A process is asked to leave: it does in its window, or has not heard."""
    if daemon.drained_at is None:
        daemon.drained_at, daemon.window_s = world.now, record.window_s
    else:  # again, which ends its window where that is not over
        daemon.window_s = min(daemon.window_s, world.now - daemon.drained_at)
    daemon.shutdown_s = world.state.groups[record.group].target.spec.shutdown_timeout_s
    if daemon.mood not in ("deaf", "undying"):
        delay_s = world.random.uniform(0.0, record.window_s + 1.0)
        if record.window_s <= 0:
            world.later(delay_s / 2, lambda: _let_go(daemon))
        world.later(delay_s, lambda: ended(daemon, Exit(0, 0)))


def kill(world: World, daemon: FakeDaemon, after_s: float) -> None:
    """SIGKILL, which the first of a process that waits for its disk does not end."""
    daemon.kills += 1
    if daemon.mood != "undying" or daemon.kills >= KILLS:
        world.later(after_s + 0.01, lambda: ended(daemon, Exit(-1, 9)))


def ended(daemon: FakeDaemon, status: Exit) -> model.Event | None:
    """A process ends, if it has not."""
    if not daemon.alive:
        return None
    daemon.alive, daemon.over = False, True
    return model.LifeExited(daemon.life, Exit(-1, 0) if daemon.orphan else status, {"requests_total": 1}, daemon.group)


def _let_go(daemon: FakeDaemon) -> model.Event | None:
    return model.LifeLetGo(daemon.life) if daemon.alive else None


def _forked(world: World, daemon: FakeDaemon) -> model.Event | None:
    dice = world.random
    if daemon.lost:
        return None
    if daemon.mood == "refused":
        daemon.over = True
        return model.LifeRefused(daemon.life, "cannot fork", permanent=dice.random() < 0.2)
    if daemon.mood == "queued":
        found = world.state.find(daemon.life)
        if found is None or found[1].state is not Tenancy.SPAWNING:
            daemon.over = True
            return model.LifeExited(daemon.life, Exit(-1, 0))  # there never was one
    daemon.alive = True
    world.forked[daemon.life] = daemon
    if daemon.mood in SERVING:
        world.later(dice.uniform(0.01, 0.3), lambda: _ready(world, daemon))
    elif daemon.mood == "slow":
        world.later(dice.uniform(1.0, 8.0), lambda: _ready(world, daemon))
    elif daemon.mood in ("fails", "starves"):
        world.later(0.02, lambda: _failed(world, daemon))
    return model.LifeSpawned(daemon.life, 10_000 + daemon.life)


def _ready(world: World, daemon: FakeDaemon) -> model.Event | None:
    if not daemon.alive:
        return None
    if daemon.mood in ("dies-later", "dies-soon"):
        latest_s = 90.0 if daemon.mood == "dies-later" else 3.0
        world.later(world.random.uniform(0.1, latest_s), lambda: ended(daemon, Exit(-1, 11)))
    return model.LifeBecameReady(daemon.life)


def _failed(world: World, daemon: FakeDaemon) -> model.Event | None:
    if not daemon.alive:
        return None
    world.later(0.001, lambda: ended(daemon, Exit(216, 0)))
    reason = "memory-limit" if daemon.mood == "starves" else ""
    return model.LifeFailed(daemon.life, "import", "cannot import", "Traceback …", reason)
