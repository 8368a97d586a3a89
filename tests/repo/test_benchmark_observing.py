"""The part on what observing costs: what is configured, and what its section says of the goal."""

from __future__ import annotations

from pathlib import Path

from support.manager import APPS

from benchmarks import observing, observing_report
from benchmarks.measuring import Sample
from benchmarks.peers import Job
from tools.facts import daemon_account
from wsgigroups.config import load


def figures(ratio: float) -> list[dict[str, object]]:
    """Return three pairs of each case, where what observes leaves this part of the rate."""
    return [
        Sample(layout.name, case, position, number, rate, 1.0, 2.0, 0.5).as_data()
        for layout, case in observing.CELLS
        for number in range(1, 4)
        for position, rate in (("on", 1000.0 * ratio), ("off", 1000.0))
    ]


def test_the_section_says_whether_the_goal_is_reached() -> None:
    text = "\n".join(observing_report.section(figures(0.975)))
    assert text.count("| 3 | 975 | 1,000 | 0.97 (0.97–0.97) |") + text.count("| 0.98 (0.98–0.98) |") == 3
    assert text.count("| reached |") == 3
    text = "\n".join(observing_report.section(figures(0.96)))
    assert text.count("| **not reached** |") == 3


def test_a_failure_is_named() -> None:
    layout, case = observing.CELLS[0]
    failed = [Sample(layout.name, case, position, 1, failure="no start").as_data() for position in observing.POSITIONS]
    assert "failed: no start" in "\n".join(observing_report.section(failed))


def test_what_is_configured_is_valid(tmp_path: Path) -> None:
    layout, _case = observing.CELLS[0]
    for position in observing.POSITIONS:
        job = Job("hello_app", layout, 8000, tmp_path, APPS, tmp_path, daemon_account())
        observing.Observed(position).commands(job)
        loaded = load([tmp_path / "groups.toml"])
        assert loaded.configuration is not None, loaded.diagnostics
        group = loaded.configuration.groups["bench"]
        assert (group.slow_request or 0) > 0 or position == "off"
