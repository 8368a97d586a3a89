"""A test that failed while other runs had the machine, too, is run once more, alone: was it by chance, or for good?

Thousands of tests drive real processes, four runs share two processors, and an answer that comes late there need be no
fault of the project. What passes alone does not fail the run, but it is named at its end, and what it said stands
further up: somebody should look at it. More than a few such tests are no chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.shares import Share

MOST = 5  # tests of all runs together


@dataclass(frozen=True)
class Verdict:
    """What is to be said of all runs."""

    failed: tuple[str, ...]  # runs, by their names
    by_chance: tuple[str, ...]  # tests that failed, and passed alone


def look_again(unsuccessful: Sequence[Share], run_alone: Callable[[Share, Sequence[str]], bool]) -> Verdict:
    """Run again what failed, if it is little; run_alone tells whether these tests of a share pass."""
    failed = {share.name: share.failed() for share in unsuccessful}
    if sum(map(len, failed.values())) > MOST:
        return Verdict(tuple(failed), ())
    lost: list[str] = []
    by_chance: list[str] = []
    for share in unsuccessful:
        tests = failed[share.name]
        if tests and run_alone(share, tests):
            by_chance += tests
        else:
            lost.append(share.name)
    return Verdict(tuple(lost), tuple(by_chance))
