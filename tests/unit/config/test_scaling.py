"""Options of processes that follow the load: what may stand together, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.config import load
from wsgigroups.config.loader import Loaded
from wsgigroups.plan.scaling import ScalingTarget
from wsgigroups.targets.scaling import first_of, scaling_of, shared_limits

GROUP = 'version = 1\n[groups.blog]\napp = "blog:app"\nlisten = ["127.0.0.1:8000"]\n'


def loaded(tmp_path: Path, text: str) -> Loaded:
    path = tmp_path / "groups.toml"
    path.write_text(GROUP + text)
    return load([path], variables={})


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("processes-min = 4\nprocesses-max = 2", "WG0532", "no number is both"),
        ("processes-min = 2", "WG0532", "begins with 1 processes, and processes-min is 2"),
        ("processes = 4\nprocesses-max = 2", "WG0532", "begins with processes = 4"),
        ("processes = 1\nprocesses-min = 2\nprocesses-max = 3", "WG0532", "begins with 1 processes"),
        ("target-utilisation = 0.5", "WG0533", "target-utilisation decides nothing"),
        ("queue-target = 1", "WG0533", "their number is fixed"),
        ("processes-max = 0", "WG0302", "from 1 to 4096"),
        ("processes-min = -1", "WG0302", "from 0 to 4096"),
        ("processes-max = 2\ntarget-utilisation = 0", "WG0302", "no number above 0 and up to 1"),
        ("processes-max = 2\ntarget-utilisation = 70", "WG0302", "no number above 0"),
        ("processes-max = 2\ntarget-utilisation = true", "WG0302", "no number above 0"),
        ('[server]\nmemory-reserve = "95%"', "WG0302", "95%, from 0% to 90%"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, code: str, words: str) -> None:
    found = loaded(tmp_path, f"{text}\n").diagnostics
    assert [item.code for item in found] == [code]
    assert words in found[0].message


def test_a_percentage_has_its_number_as_a_hint(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, 'processes-max = 2\ntarget-utilisation = "70%"\n').diagnostics
    assert found.hint == "write 0.7"


@pytest.mark.parametrize(
    ("text", "limits", "first"),
    [
        ("processes = 3", None, 3),
        ("processes-max = 8", (1, 8), 1),
        ("processes = 3\nprocesses-max = 8", (3, 8), 3),
        ("processes = 3\nprocesses-min = 1", (1, 3), 3),
        ("processes-min = 2\nprocesses-max = 8", (2, 8), 2),
        ("processes-min = 0", (0, 1), 1),
    ],
)
def test_limits(tmp_path: Path, text: str, limits: tuple[int, int] | None, first: int) -> None:
    found = loaded(tmp_path, f"{text}\n")
    assert not found.diagnostics
    assert found.configuration
    group = found.configuration.groups["blog"]
    made = scaling_of(group, found.configuration.server, group.processes)
    assert (made and (made.minimum, made.maximum)) == limits
    assert first_of(made, group.processes) == first


def test_the_rest_of_the_limits(tmp_path: Path) -> None:
    text = 'processes-min = 0\ninactivity-timeout = "2m"\nqueue-target = 0.2\n'
    text += "target-utilisation = 0.5\nscale-down-delay = 60\n"
    found = loaded(tmp_path, text + '[server]\nprocesses-max = 40\nmemory-reserve = "20%"\n').configuration
    assert found
    made = scaling_of(found.groups["blog"], found.server, 1)
    assert made == ScalingTarget(0, 1, 0.5, 0.2, 60.0, 120.0, 40, 20)
    assert shared_limits(made) == {"server.processes-max": "40", "server.memory-reserve": "20%"}
    assert shared_limits(None) == {}
