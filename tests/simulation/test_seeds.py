"""Thousands of histories of the core, each from one seed; a failing seed goes into seeds.txt and stays there.

WSGIGROUPS_SEEDS=17 or =3000-9000 runs others than those of every run.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulation.histories import WITH_GATEWAY, WITH_LOAD, History

EVERY_RUN = "0-1699"  # 2,000 with those below: half a minute of a processor, beside all else that CI runs
GATEWAYS = range(WITH_GATEWAY, WITH_GATEWAY + 150)  # of every run, too
LOADS = range(WITH_LOAD, WITH_LOAD + 150)
TOGETHER = 50  # histories of one test: a test costs more than a history
KEPT = [int(line) for line in (Path(__file__).parent / "seeds.txt").read_text().split("\n") if line.isdigit()]


def chosen() -> list[range]:
    """The seeds of this run, in parts."""
    asked = os.environ.get("WSGIGROUPS_SEEDS", "")
    first, _, last = (asked or EVERY_RUN).partition("-")
    wanted = [range(int(first), int(last or first) + 1), *([] if asked else [GATEWAYS, LOADS])]
    return [seeds[begin : begin + TOGETHER] for seeds in wanted for begin in range(0, len(seeds), TOGETHER)]


@pytest.mark.parametrize("seeds", chosen(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_history_ends_well(seeds: range) -> None:
    for seed in seeds:
        History(seed).live()


@pytest.mark.parametrize("seed", KEPT)
def test_what_failed_once_ends_well(seed: int) -> None:
    History(seed).live()


def test_the_same_seed_is_the_same_history() -> None:
    def told(seed: int) -> list[str]:
        history = History(seed)
        history.live()
        return history.world.steps

    assert told(5) == told(5)
    assert told(5) != told(6)
