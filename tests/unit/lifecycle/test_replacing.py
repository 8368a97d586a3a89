"""A copy of a dataclass with some fields changed is what `dataclasses.replace` makes of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.replacing import replace


@dataclass(frozen=True, slots=True)
class Base:
    number: int
    name: str = "blog"


@dataclass(frozen=True, slots=True)
class Derived(Base):
    parts: tuple[int, ...] = ()


@dataclass
class WithoutSlots:
    number: int
    name: str = "blog"


@dataclass(slots=True)
class Prepared:
    number: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.number


CASES: tuple[tuple[Any, dict[str, Any]], ...] = (
    (Record("blog", 1, 7, "f"), {"state": Tenancy.READY, "deadline": None, "ready_at": 4.0}),
    (Record("blog", 1, 7, "f", pid=12), {}),
    (Base(1), {"name": "shop"}),
    (Derived(1, "shop", (1, 2)), {"number": 2, "parts": (3,)}),
    (WithoutSlots(1), {"number": 2}),
    (Prepared(2), {"number": 3}),
)


@pytest.mark.parametrize(("instance", "changes"), CASES, ids=lambda value: type(value).__name__)
def test_it_is_what_dataclasses_make_of_it(instance: Any, changes: dict[str, Any]) -> None:
    before = dataclasses.asdict(instance)
    copy = replace(instance, **changes)
    assert copy == dataclasses.replace(instance, **changes)
    assert copy is not instance
    assert type(copy) is type(instance)
    assert dataclasses.asdict(instance) == before


@pytest.mark.parametrize("instance", [Base(1), Derived(1), WithoutSlots(1)], ids=lambda value: type(value).__name__)
def test_a_field_that_is_not_there_is_refused(instance: Any) -> None:
    with pytest.raises(TypeError):
        replace(instance, colour="red")
