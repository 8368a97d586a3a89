"""Runs of pytest at the same time that share the test files: each takes the next one that no other has taken.

Runs in pytest's process; `tests/conftest.py` has the options. The runs of one account share a directory, in which a
file that somebody has taken has an entry. Nobody needs to hear of the others: what is not taken when a run looks for
its next file is its own, and a run fails for itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

# These take longest: a run that began with one of them last would keep everybody waiting.
LONGEST = (
    "tests/process/manager/test_ansible_rollouts.py",
    "tests/process/manager/test_containers.py",
    "tests/process/manager/test_deaths_in_an_apply.py",
    "tests/process/manager/test_drill.py",
    "tests/process/manager/test_recycling.py",
    "tests/process/manager/test_lost_state.py",
    "tests/process/manager/test_failures.py",
    "tests/process/manager/test_listeners.py",
    "tests/process/manager/test_rollout.py",
    "tests/process/daemon/test_loading.py",
    "tests/process/daemon/test_patched.py",
    "tests/simulation",
    "tests/property",
)


class Taken:
    """Which files have been taken by any of the runs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def take(self, file: str) -> bool:
        """Take a file, by its path from the root of the repository; False where it has been taken."""
        try:
            os.close(os.open(self._directory / file.replace("/", "+"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True


def ordered(files: Sequence[str], first: Sequence[str], longest: Sequence[str] = LONGEST) -> list[str]:
    """Put what is in or below `first` before all others, then what takes longest; the rest stays as it is."""
    places = (*first, *longest)

    def place(file: str) -> int:
        return next((n for n, path in enumerate(places) if Path(file).is_relative_to(path)), len(places))

    return sorted(files, key=place)


def run(session: pytest.Session, directory: Path, first: Sequence[str]) -> None:
    """Run what no other run takes, as pytest runs all that it has collected."""
    by_file: dict[str, list[pytest.Item]] = {}
    for item in session.items:
        by_file.setdefault(item.path.relative_to(session.config.rootpath).as_posix(), []).append(item)
    taken, left = Taken(directory), ordered(list(by_file), first)

    def mine() -> Iterator[pytest.Item]:
        for file in left:
            if taken.take(file):
                yield from by_file.pop(file)

    items = mine()
    item = next(items, None)
    while item is not None:
        following = next(items, None)  # a fixture of the session stays for it
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    session.config.hook.pytest_deselected(items=[item for items in by_file.values() for item in items])
