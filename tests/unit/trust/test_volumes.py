"""The run directory in a volume that everybody can write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.trust.volumes import own_in, protect

OWN = f"wsgigroups-{os.geteuid()}"


@pytest.mark.parametrize(
    ("mode", "below"), [(0o2777, True), (0o777, True), (0o1777, True), (0o755, False), (0o2775, False)]
)
def test_what_a_named_directory_means(tmp_path: Path, mode: int, below: bool) -> None:
    tmp_path.chmod(mode)
    assert own_in(tmp_path) == (tmp_path / OWN if below else tmp_path)


def test_what_is_no_directory_is_meant_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o666)
    (tmp_path / "file").chmod(0o666)
    assert own_in(tmp_path / "file") == tmp_path / "file"
    assert own_in(tmp_path / "missing") == tmp_path / "missing"


@pytest.mark.parametrize(
    ("mode", "after"), [(0o2777, 0o3777), (0o777, 0o1777), (0o1777, 0o1777), (0o755, 0o755), (0o2775, 0o2775)]
)
def test_nobody_moves_our_directory_away(tmp_path: Path, mode: int, after: int) -> None:
    tmp_path.chmod(mode)
    assert protect(tmp_path / OWN) is (mode != after)
    assert tmp_path.stat().st_mode & 0o7777 == after


def test_other_directories_stay_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o2777)
    (tmp_path / "link").symlink_to(tmp_path)
    assert not protect(tmp_path / "run")
    assert not protect(tmp_path / "link" / OWN)
    assert not protect(tmp_path / "missing" / OWN)
    assert tmp_path.stat().st_mode & 0o7777 == 0o2777
