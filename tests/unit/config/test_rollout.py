"""The table of a group's rollout: inheritance, mistakes and contradictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.config import load
from wsgigroups.config.loader import Loaded

GROUP = 'version = 1\n[groups.blog]\napp = "blog:app"\nlisten = ["127.0.0.1:8000"]\n'


def loaded(tmp_path: Path, text: str) -> Loaded:
    path = tmp_path / "groups.toml"
    path.write_text(text)
    return load([path], variables={})


def test_each_of_its_options_is_inherited_by_itself(tmp_path: Path) -> None:
    text = GROUP + "[groups.blog.rollout]\ncanary = 2\n[defaults.rollout]\ncanary = 3\nmax-surge = 4\n"
    found = loaded(tmp_path, text).configuration
    assert found
    rollout = found.groups["blog"].rollout
    assert (rollout.canary, rollout.max_surge, rollout.min_ready_time) == (2, 4, 5.0)
    assert (rollout.is_set("max-surge"), rollout.is_set("min-ready-time")) == (True, False)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("max-surge = 0", "WG0529", "no room for a successor"),
        ('max-surge = "0%"\nmax-unavailable = 0', "WG0529", "no room"),
        ("max-surge = 0.5", "WG0322", "no part of them"),
        ('max-surge = "101%"', "WG0322", "no part of them"),
        ("max-surge = true", "WG0322", "no part of them"),
        ("max-surge = -1", "WG0322", "no part of them"),
        ("canarry = 2", "WG0201", "unknown key"),
        ("health-status = 204", "WG0530", "health-path, which is not set"),
        ("min-ready-time = 0\nabort-error-rate = '5%'", "WG0530", "nothing is watched"),
        ("abort-error-rate = 0\nabort-minimum-requests = 5", "WG0530", "which is 0, off"),
        ("health-status = 600\nhealth-path = '/'", "WG0302", "from 0 to 599"),
        ("health-path = 'health'", "WG0307", ""),
    ],
)
def test_mistakes_are_told_at_their_place(tmp_path: Path, text: str, code: str, words: str) -> None:
    found = loaded(tmp_path, f"{GROUP}[groups.blog.rollout]\n{text}\n").diagnostics
    assert [item.code for item in found] == [code]
    assert words in found[0].message
    assert found[0].span
    assert found[0].span.line > 5


def test_a_check_that_never_decides_is_said(tmp_path: Path) -> None:
    text = GROUP + 'startup-timeout = "5s"\n[groups.blog.rollout]\nhealth-path = "/"\nhealth-timeout = "9s"\n'
    (found,) = loaded(tmp_path, text).diagnostics
    assert (found.code, "startup-timeout is over after 5s" in found.message) == ("WG0530", True)


def test_a_wrong_value_is_not_blamed_twice(tmp_path: Path) -> None:
    text = GROUP + '[groups.blog.rollout]\nmax-surge = "many"\nmax-unavailable = 0\n'
    assert [item.code for item in loaded(tmp_path, text).diagnostics] == ["WG0322"]


def test_without_a_surge_processes_may_be_missing(tmp_path: Path) -> None:
    text = GROUP + "[groups.blog.rollout]\nmax-surge = 0\nmax-unavailable = 1\n"
    assert loaded(tmp_path, text).diagnostics == ()
