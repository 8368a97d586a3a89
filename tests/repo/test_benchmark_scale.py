"""The sections on many groups and on single starts: what was reached, what was not measured, and why it is worse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import many, scale_report, starts, starts_report
from benchmarks.serving import Ground
from tools import facts

SCALE: dict[str, Any] = {
    "groups": 1000,
    "count": 200,
    "first_s": 20.0,
    "again_s": 1.6,
    "change_s": 0.9,
    "touched": 1,
    "rss_mib": 120.0,
    "idle_percent": 0.5,
    "kills": 20,
    "replaced_ms": 25.0,
    "fleets": {
        "wsgigroups": {"ready_s": 2.0, "pss_mib": 3.0},
        "supervisord": {"ready_s": 20.0, "pss_mib": 18.0},
    },
}


def test_many_groups_are_held_against_their_goals_and_against_others() -> None:
    text = "\n".join(scale_report.section(SCALE))
    assert "no changes | ≤ 1.5 s | 1.6 s | **not reached** |" in text
    assert "| resident memory of the manager | ≤ 200 MiB | 120 MiB | reached |" in text
    assert "| supervisord with gunicorn | 20.00 s | 0.10 | 18.00 MiB | 0.17 | reached |" in text
    assert "| uWSGI's Emperor | not measured |" in text


@pytest.mark.parametrize(
    ("kind", "slower", "larger", "words"),
    [
        ({"spawners": "shared", "confined": False}, 1.1, 1.0, ""),
        ({"spawners": "shared", "confined": False}, 1.3, 1.0, starts_report.SAFER),
        ({"spawners": "per-user", "confined": False}, 1.0, 1.3, starts_report.PER_USER),
        ({"spawners": "shared", "confined": True}, 1.3, 1.0, starts_report.CONFINED),
    ],
)
def test_what_is_more_than_a_fifth_worse_has_its_reason(
    kind: dict[str, Any], slower: float, larger: float, words: str
) -> None:
    found = starts_report.reason(kind, slower, larger)
    assert words in found
    assert bool(found) == bool(words)


def test_single_starts_stand_beside_those_of_an_earlier_commit() -> None:
    earlier = json.loads(starts.EARLIER.read_text())
    kind = {
        "spawners": "shared",
        "confined": False,
        "ready_ms": earlier["ready_ms"] * 2,
        "pss_mib": earlier["pss_mib"],
    }
    text = "\n".join(starts_report.section({"starts": 20, "kinds": [kind], "earlier": earlier}))
    assert f"commit {earlier['commit']}" in text
    assert f"| 2.00 | {earlier['pss_mib']:.2f} MiB | 1.00 | {starts_report.SAFER} |" in text


def test_what_is_not_installed_is_not_started(tmp_path: Any) -> None:
    assert many.measure(Ground(tmp_path, tmp_path, facts.daemon_account()), 1) == {}
