"""Memory is given back once, when nothing more is about to be taken."""

from __future__ import annotations

from wsgigroups.manager.giving_back import GivingBack, trim


def test_it_is_given_back_once_and_not_in_between() -> None:
    given: list[int] = []
    memory = GivingBack(lambda: given.append(1))
    memory.look(busy=False)
    assert not given
    memory.took()
    memory.took()
    memory.look(busy=True)
    assert not given
    memory.look(busy=False)
    memory.look(busy=False)
    assert given == [1]


def test_this_c_library_is_asked() -> None:
    trim()
