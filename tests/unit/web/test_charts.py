"""What charts keep of looks."""

from __future__ import annotations

from typing import Any

from wsgigroups.web import charts
from wsgigroups.web.charts import ChartHistory, together


def row(name: str, per_s: float | None = 1.0, p99_s: float | None = 0.1, queued: int = 0, memory: int = 5) -> Any:
    return {"name": name, "per_s": per_s, "p99_s": p99_s, "queued": queued, "memory_bytes": memory}


def test_numbers_of_all_groups_are_added_up() -> None:
    rows = [row("a", 2.5, 0.2, 1, 10), row("b", None, None, 2, 20), row("@gateway", 2.5, 9.0, 5, 30)]
    assert together(rows) == {"per_s": 2.5, "p99_s": 0.2, "queued": 3, "memory_bytes": 60}
    assert together([]) == {"per_s": None, "p99_s": None, "queued": 0, "memory_bytes": 0}


def test_looks_are_kept_in_their_order_and_the_oldest_forgotten() -> None:
    history = ChartHistory()
    for number in range(charts.POINTS + 5):
        history.add(float(number), [row("a", float(number))])
    found = history.of("a", charts.POINTS + 5.0)
    assert found["per_s"] == [float(number) for number in range(5, charts.POINTS + 5)]
    assert found["ages_s"][0] == charts.POINTS
    assert found["ages_s"][-1] == 1.0


def test_what_is_not_known_is_null_and_groups_that_are_gone_are_forgotten() -> None:
    history = ChartHistory()
    history.add(1.0, [row("a")])
    history.add(2.0, [row("a", None), row("b", 3.0)])
    assert history.of("a", 2.0)["per_s"] == [1.0, None]
    assert history.of("b", 2.0)["per_s"] == [None, 3.0]
    assert history.of("", 2.0)["memory_bytes"] == [5.0, 10.0]
    history.add(3.0, [row("b")])
    assert history.of("a", 3.0)["per_s"] == [None, None, None]
    history.add(4.0, [row("a"), row("b")])
    assert history.of("a", 4.0)["per_s"] == [None, None, None, 1.0]
