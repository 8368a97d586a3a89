"""Socket files that are lost: made again, also when that could not be at the time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import reachable


def test_what_was_lost_while_a_group_was_stopped_is_made_again_when_it_is_not() -> None:
    group = SimpleNamespace(bare=False, shut=True)
    bound: list[tuple[str, str]] = []
    told: list[Any] = []
    changed = [{"blog"}, set(), set()]  # the directory changes once
    shell: Any = SimpleNamespace(
        state=SimpleNamespace(draining=False, groups={"blog": group}),
        unreachable={},
        directories=SimpleNamespace(follow=lambda *_: None, changed=lambda: changed.pop(0), waiting=set()),
        listeners=SimpleNamespace(
            directories=lambda _name: set(),
            lost=lambda _name: [] if bound else ["unix:/a"],
            bind_again=lambda name, address: bound.append((name, address)),
        ),
        outside=SimpleNamespace(log=lambda *_: None),
        dispatch=told.append,
    )
    reachable.look(shell)
    assert bound == []
    group.shut = False
    reachable.look(shell)
    assert bound == [("blog", "unix:/a")]
    assert told == [model.ListenersRenewed("blog")]
    reachable.look(shell)
    assert len(bound) == 1
