"""Which files are meant when nobody names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.config.files_here import files_in


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([], []),
        (["groups.toml"], ["groups.toml"]),
        (["groups.yaml"], ["groups.yaml"]),
        (["groups.yml", "groups.d/a.toml"], ["groups.yml", "groups.d"]),
        (["groups/a.yaml", "groups.yaml", "groups.toml"], ["groups.toml", "groups.yaml", "groups"]),
        (["groups/__init__.py", "groups/models.py", "groups/.hidden.toml"], []),  # a package of a project
        (["other.toml", "groups.json"], []),
    ],
)
def test_files_of_a_directory(there: list[str], found: list[str], tmp_path: Path) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in files_in(tmp_path)] == found
