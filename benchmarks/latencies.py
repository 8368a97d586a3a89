"""Our p99 beside the best of the others, in every case and layout: pure, over the data of results.json.

Not every p99 says how a server treats its clients: one that ties a thread to each connection answers those it has, and
lets the others wait. Such servers are left out of the comparison, and named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks import summary
from benchmarks.cases import CASES, LAYOUTS, OURS, REFERENCE
from benchmarks.summary import Row

LATENCY_RATIO = 1.2
ERRORS_SHARE = 0.001  # with more, the latencies of the others say nothing
# A server that lets a newcomer wait for so long, or for so many times its p99, has chosen whom it answers quickly. The
# latter is what is seen of one that ties its threads to connections, when a load is too short for the former.
STARVED_MS = 1000.0
STARVED_TIMES = 10.0
NOTICEABLE_MS = 100.0


@dataclass(frozen=True)
class Best:
    """The best p99 of the other servers in one case of one layout."""

    peer: str
    p99_ms: float
    ratio: float  # ours divided by it

    @property
    def reached(self) -> bool:
        """Whether ours is near enough."""
        return self.ratio <= LATENCY_RATIO


@dataclass(frozen=True)
class Latency:
    """Our p99 beside the best of the others; None where nobody is left to compare with."""

    layout: str
    case: str
    title: str
    p99_ms: float
    best: Best | None  # of the servers with several threads
    best_with_reference: Best | None  # bjoern too
    left_out: dict[str, str]  # server → why its p99 says nothing
    unfit: str | None  # why our own says nothing


def latencies(results: dict[str, Any]) -> Iterable[Latency]:
    """Yield a line per case and layout in which wsgigroups was measured beside others."""
    for case in CASES:
        for layout in LAYOUTS:
            rows = [row for row in summary.rows(results["samples"], layout.name, case.name) if row.figures]
            ours = next((row for row in rows if row.peer == OURS), None)
            if ours is not None and len(rows) > 1:
                yield latency(layout.name, case.name, case.title, ours, [row for row in rows if row.peer != OURS])


def latency(layout: str, case: str, title: str, ours: Row, others: list[Row]) -> Latency:
    """Return one line."""
    left_out = {row.peer: reason for row in others if (reason := says_nothing(row))}
    fit = [row for row in others if row.peer not in left_out]
    mine = ours.figures["p99_ms"].median
    return Latency(
        layout=layout,
        case=case,
        title=title,
        p99_ms=mine,
        best=best([row for row in fit if row.peer != REFERENCE], mine),
        best_with_reference=best(fit, mine),
        left_out=left_out,
        unfit=says_nothing(ours),
    )


def best(rows: list[Row], mine: float) -> Best | None:
    """Return the server with the lowest p99."""
    if not rows:
        return None
    row = min(rows, key=lambda row: row.figures["p99_ms"].median)
    p99_ms = row.figures["p99_ms"].median
    return Best(row.peer, p99_ms, mine / max(p99_ms, 1e-6))


def says_nothing(row: Row) -> str | None:
    """Return why a p99 says nothing of how the server treats its clients; None where it does."""
    if row.errors > ERRORS_SHARE * row.requests:
        return f"{row.errors:,} errors"
    if row.newcomer_ms is None:
        return "a newcomer got no answer"
    if row.newcomer_ms > min(STARVED_MS, max(NOTICEABLE_MS, STARVED_TIMES * row.figures["p99_ms"].median)):
        return f"a newcomer waited {row.newcomer_ms:,.0f} ms"
    return None
