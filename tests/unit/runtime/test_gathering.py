"""The code that processes run at their start, gathered in a spawner: the same functions, and a list that is true."""

from __future__ import annotations

import gc
import importlib
import types
from collections.abc import Iterator
from typing import Any

import pytest

from wsgigroups.runtime.spawner import gathering

pytestmark = pytest.mark.usefixtures("unfrozen")
STALE = 0.05  # of the names: what was renamed since costs a page or so, and nothing else


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """A spawner gathers before it freezes what it has; pytest's process has done that long ago."""
    gc.unfreeze()
    yield
    gc.freeze()


def plain(number: int, *, more: int = 2) -> int:
    return number + more


def counting() -> Any:
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return count

    return step


class Box:
    def __init__(self, value: int) -> None:
        self._value = value

    @property
    def value(self) -> int:
        return self._value


NAMES = frozenset(f"{__name__}:{name}" for name in ("plain", "counting", "Box.__init__", "Box.value"))


def test_functions_with_other_code_do_what_they_did() -> None:
    step = counting()
    step()
    before = [plain.__code__, counting.__code__, Box.__init__.__code__]
    assert gathering.gather(NAMES) == len(NAMES)
    after = [plain.__code__, counting.__code__, Box.__init__.__code__]
    assert after == before
    assert all(new is not old for new, old in zip(after, before, strict=True))
    assert (plain(1), plain(1, more=5), Box(7).value) == (3, 6, 7)
    assert (step(), counting()()) == (2, 1)  # what was made before goes on


def test_the_code_of_functions_in_functions_is_gathered_with_it() -> None:
    former = inner_code(counting)
    gathering.gather(NAMES)
    assert inner_code(counting) is not former


def inner_code(function: Any) -> types.CodeType:
    return next(item for item in function.__code__.co_consts if isinstance(item, types.CodeType))


def test_nothing_is_gathered_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_LIST", "/nonexistent")
    code = plain.__code__
    assert gathering.gather(gathering.started()) == 0
    assert plain.__code__ is code


def test_the_list_names_functions_that_there_are() -> None:
    own = {name for name in gathering.started() if name.startswith(".")}
    assert len(own) > 300
    for module in {name.partition(":")[0] for name in own}:
        importlib.import_module(f"wsgigroups.runtime{module}".rstrip("."))
    there = {gathering.name(found) for found in gc.get_objects() if isinstance(found, types.FunctionType)}
    gone = own - there
    assert len(gone) < STALE * len(own), f"`make started` writes the list anew: {sorted(gone)}"
