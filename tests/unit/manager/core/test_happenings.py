"""What is remembered of a turn of the core: each death has its cause, each change its end."""

from __future__ import annotations

from support.targets import small_target

from wsgigroups.lifecycle.step import Exit
from wsgigroups.manager.core import model
from wsgigroups.manager.core.handling import handle
from wsgigroups.manager.core.happenings import Happening, happened


class Told:
    """A state that goes from event to event, with what is remembered of each."""

    def __init__(self) -> None:
        self.state = model.State()

    def tell(self, event: model.Event, now: float = 0.0) -> list[str]:
        before = self.state
        self.state, commands = handle(before, event, now)
        self.found = happened(before, event, self.state, commands)
        return [f"{found.kind} {found.text}".strip() for found in self.found]

    def up(self) -> None:
        self.tell(model.Apply({"blog": small_target()}, 1))
        self.tell(model.LifeSpawned(1, 77))
        self.tell(model.LifeBecameReady(1), 1.0)


def test_an_apply_is_told_from_its_beginning_to_its_end() -> None:
    told = Told()
    assert told.tell(model.Apply({"blog": small_target()}, 1)) == [
        "change-begun apply of revision 1: blog", "group-added",
    ]  # fmt: skip
    assert told.tell(model.LifeSpawned(1, 77)) == ["started"]
    assert told.found == (Happening("started", "", "blog", 1, 1, 77),)
    assert told.tell(model.LifeBecameReady(1), 1.0) == ["ready", "change-ended apply: done"]
    assert told.found[0].pid == 77


def test_a_death_that_nobody_asked_for_has_its_cause() -> None:
    told = Told()
    told.up()
    assert told.tell(model.LifeExited(1, Exit(-1, 9)), 99.0) == ["died killed by signal 9"]
    assert told.found[0].group == "blog"


def test_an_end_that_was_asked_for_is_no_death() -> None:
    told = Told()
    told.up()
    told.tell(model.Stop(("blog",)), 2.0)
    assert told.tell(model.LifeExited(1, Exit(0, 0)), 3.0)[0].startswith("ended ")


def test_why_a_process_did_not_come_up_is_told_with_its_exit() -> None:
    told = Told()
    told.tell(model.Apply({"blog": small_target()}, 1))
    told.tell(model.LifeSpawned(1, 77))
    told.tell(model.LifeFailed(1, "load", "cannot import blog", "Traceback"))
    assert told.tell(model.LifeExited(1, Exit(216, 0))) == [
        "died cannot import blog (exit code 216)",
        "failed cannot import blog",
        "change-ended apply: failed",
    ]


def test_a_judgement_a_wish_and_a_refusal_are_told_once() -> None:
    told = Told()
    told.up()
    assert told.tell(model.LifeWorn(1, "maximum-requests"), 500.0) == ["worn maximum-requests"]
    assert told.tell(model.LifeWorn(1, "maximum-requests"), 500.0) == []
    assert told.tell(model.LifeRefused(2, "no memory"), 501.0)[0] == "refused no memory"
    assert told.tell(model.LifeStalled(1, "deadlock-timeout", "no heartbeat"), 502.0)[0] == (
        "judged deadlock-timeout, no heartbeat"
    )


def test_a_message_of_a_life_that_is_over_is_nothing() -> None:
    told = Told()
    told.up()
    assert told.tell(model.LifeExited(55, Exit(0, 0))) == []
    assert told.tell(model.LifeBecameReady(1)) == []


def test_a_number_of_processes_and_many_groups_are_named_shortly() -> None:
    told = Told()
    told.up()
    assert told.tell(model.Scale({"blog": 3}), 2.0)[0] == "change-begun scale: blog=3"
    many = {f"g{number}": small_target(name=f"g{number}") for number in range(9)}
    assert Told().tell(model.Apply(many, 1))[0] == "change-begun apply of revision 1: g0, g1, g2, g3, g4 and 4 more"
