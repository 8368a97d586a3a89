"""The histories have everything in them that the core can be told, and all that it can answer."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import get_args

from tests.simulation.histories import WITH_GATEWAY, WITH_LOAD, History
from tests.simulation.moods import MOODS
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import events, model

HISTORIES = 200
NO_EVENTS = {events.Unresolved, events.Answers}


@dataclass
class Seen:
    """What has been in some histories."""

    kinds: Counter[type] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds_of_changes: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    states: Counter[Tenancy] = field(default_factory=Counter)
    moods: Counter[str] = field(default_factory=Counter)
    returned: int = 0
    unknown: int = 0
    canaries: int = 0
    managers: int = 0


@lru_cache(maxsize=1)
def seen() -> Seen:
    found = Seen()
    some = HISTORIES // 4
    for seed in (*range(HISTORIES), *(first + more for first in (WITH_GATEWAY, WITH_LOAD) for more in range(some))):
        history = History(seed)
        history.live()
        world = history.world
        found.managers += world.deaths
        found.moods.update(daemon.mood for daemon in world.daemons.values())
        for _when, what in world.history:
            found.kinds[type(what)] += 1
            match what:
                case model.FinishChange(change):
                    found.outcomes[change.outcome] += 1
                    found.kinds_of_changes[change.kind] += 1
                    texts = [part.error.message for part in change.groups.values() if part.error]
                    found.returned += "rolled back as asked" in texts
                case model.LifeRefused():
                    found.refused[what.permanent, what.accident] += 1
                case model.Apply(targets):
                    found.canaries += any(target.rollout.canary_time_s for target in targets.values())
                case model.DrainLife(record) | model.KillLife(record):
                    found.states[record.state] += 1
                case model.Note(_level, text):
                    found.unknown += "left alone, as unknown" in text
    return found


def test_every_kind_of_event_is_listed() -> None:
    classes = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == events.__name__
    }
    assert classes - NO_EVENTS == set(get_args(events.Event))


def test_every_kind_of_event_is_told() -> None:
    missing = [kind.__name__ for kind in get_args(model.Event) if not seen().kinds[kind]]
    assert not missing


def test_every_kind_of_command_is_given() -> None:
    missing = [kind.__name__ for kind in get_args(model.Command) if not seen().kinds[kind]]
    assert not missing


def test_changes_end_in_every_way() -> None:
    assert {"done", "failed", "rolled-back", "overtaken"} == set(seen().outcomes)
    kinds = {"apply", "start-up", "restart", "reload", "stop", "start", "scale", "shutdown"}
    assert kinds == set(seen().kinds_of_changes)


def test_everything_that_may_go_wrong_goes_wrong() -> None:
    found = seen()
    assert set(found.moods) == set(MOODS)
    assert set(found.refused) == {(False, False), (True, False), (False, True)}
    assert {Tenancy.DRAINING, Tenancy.KILLING, Tenancy.ABORTING, Tenancy.READY} == set(found.states)
    assert min(found.returned, found.unknown, found.canaries, found.managers) > 0
