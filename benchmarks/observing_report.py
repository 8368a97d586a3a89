"""The section on what looking costs: pure, over the data of results.json.

Runs in the benchmark's process.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.observing import CELLS, GOAL
from benchmarks.switches_report import FIGURES, cells, pairs


def section(samples: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Yield the section."""
    yield "## What observing costs"
    yield ""
    yield (
        "Pairs of loads of a group of a manager, one right after the other, started afresh each time. *On*: an id in "
        "each answer, `slow-request`, `application-metrics`, JSON logs by way of the log writer, mod_wsgi's telemetry "
        "once a second to a socket that is read, and a scrape of `/metrics` once a second. *Off*: none of it, not even "
        "ids; what is counted on the board is always on. What writes and reads shares the two processors with server "
        "and client. *On ÷ off* is the median of the pairs, with the lowest and highest in brackets. The goal is "
        f"{GOAL:.2f} of the rate."
    )
    yield ""
    yield (
        "| case | pairs | requests/s on | off | on ÷ off | CPU µs on | off | on ÷ off | p99 ms on | off | on ÷ off | |"
    )
    yield "|---|---:|" + "---:|---:|---:|" * len(FIGURES) + "---|"
    for layout, case in CELLS:
        found = [sample for sample in samples if (sample["layout"], sample["case"]) == (layout.name, case)]
        if found:
            yield f"| {layout.name} {case} | {' | '.join(cells(found))} | {verdict(found)} |"


def verdict(samples: Sequence[dict[str, Any]]) -> str:
    """Return whether the goal is reached, by the median of the pairs."""
    rates = [on["rate"] / off["rate"] for on, off in pairs(samples)]
    if not rates:
        return ""
    return "reached" if statistics.median(rates) >= GOAL else "**not reached**"
