"""drain-delay in force: what an apply changes, what its undoing gives back, what is stored."""

from __future__ import annotations

from pathlib import Path

from wsgigroups.manager.drain_delay import DrainDelay
from wsgigroups.manager.store import Store, Stored


def test_an_apply_that_is_undone_gives_back_what_was_before_it() -> None:
    delay = DrainDelay()
    delay.follow(5.0)
    delay.follow(10.0)
    delay.take_back()
    assert delay.seconds == 5.0
    delay.follow(5.0)
    delay.take_back()
    assert delay.seconds == 5.0


def test_the_next_manager_has_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    store.prepare()
    assert store.load().drain_delay_s == 0.0
    store.save(Stored(drain_delay_s=10.0))
    assert Store(tmp_path / "state").load().drain_delay_s == 10.0
