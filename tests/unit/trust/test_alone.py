"""Who is there besides us, by what /proc shows; and what then is no doubt about a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.trust import walking
from wsgigroups.trust.alone import is_alone
from wsgigroups.trust.judging import Trusted
from wsgigroups.trust.walking import UntrustedPathError, follow

US = os.geteuid()


@pytest.mark.parametrize(
    ("shown", "uids", "expected"),
    [
        (("1", "17", "self", "meminfo"), {US}, True),
        (("1", "17"), {US, 12345}, True),
        (("1", "17"), {US + 1}, False),  # somebody else's
        (("17", "18"), {US}, False),  # the first one is hidden, and so may others be
        ((), {US}, False),
    ],
)
def test_who_is_there(tmp_path: Path, shown: tuple[str, ...], uids: set[int], expected: bool) -> None:
    for name in shown:
        (tmp_path / name).mkdir()
    assert is_alone(uids, str(tmp_path)) is expected


def test_nobody_can_be_seen(tmp_path: Path) -> None:
    assert not is_alone({US}, str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("or_alone", "alone", "trusted"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_what_others_could_write_is_no_doubt_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, or_alone: bool, alone: bool, trusted: bool
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o2777)
    (volume / "run").mkdir()
    monkeypatch.setattr(walking, "is_alone", lambda _uids: alone)
    whom = Trusted(frozenset({0, US, tmp_path.stat().st_uid}), or_alone=or_alone)
    if trusted:
        follow(str(volume / "run"), whom).__exit__(None, None, None)
    else:
        with pytest.raises(UntrustedPathError, match="everybody can write it"):
            follow(str(volume / "run"), whom)


def test_what_is_anothers_is_a_doubt_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "is_alone", lambda _uids: True)
    with pytest.raises(UntrustedPathError, match="it belongs to uid 0"):
        follow(str(tmp_path), Trusted(frozenset({US + 1}), or_alone=True))
