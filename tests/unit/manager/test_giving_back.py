"""Memory is given back when nothing more is about to be taken, and once more when that is over."""

from __future__ import annotations

from wsgigroups.manager.giving_back import AGAIN, GivingBack, trim


def test_it_is_given_back_at_once_and_again_when_all_is_over() -> None:
    given: list[int] = []
    memory = GivingBack(lambda: given.append(1))
    memory.look(busy=False)
    assert not given
    memory.took()
    memory.took()
    memory.look(busy=True)
    assert not given
    memory.look(busy=False)
    assert given == [1]
    for _look in range(AGAIN - 1):
        memory.look(busy=False)
        memory.look(busy=True)
    assert given == [1]
    for _look in range(3):
        memory.look(busy=False)
    assert given == [1, 1]


def test_this_c_library_is_asked() -> None:
    trim()
