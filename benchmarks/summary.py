"""Medians, spreads and ratios of the samples: pure, over the data of results.json."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.cases import OURS

FIGURES = ("rate", "p50_ms", "p99_ms", "cpu_s_per_10k", "pss_mib")


@dataclass(frozen=True)
class Spread:
    """A figure over the rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One server in one case of one layout."""

    peer: str
    figures: dict[str, Spread]  # by name of FIGURES; empty when no round succeeded
    rounds: int
    requests: int
    errors: int
    newcomer_ms: float | None  # the median of the longest waits of new connections; None: one was never answered
    ratio: float | None  # our requests per second ÷ this server's, by the medians
    failure: str | None


def spread(values: Sequence[float]) -> Spread:
    """Return median, lowest and highest of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def rows(samples: Sequence[dict[str, Any]], layout: str, case: str) -> list[Row]:
    """Return a row per server that was tried, the quickest first, failed ones last."""
    chosen = [sample for sample in samples if sample["layout"] == layout and sample["case"] == case]
    found = {peer: row_of(peer, chosen) for peer in dict.fromkeys(sample["peer"] for sample in chosen)}
    ours = found.get(OURS)
    reference = ours.figures["rate"].median if ours and ours.figures else None
    finished = [with_ratio(row, reference) for row in found.values()]
    return sorted(finished, key=lambda row: -row.figures["rate"].median if row.figures else 0.0)


def row_of(peer: str, samples: Sequence[dict[str, Any]]) -> Row:
    """Return the row of one server, without its ratio."""
    own = [sample for sample in samples if sample["peer"] == peer]
    good = [sample for sample in own if sample["failure"] is None]
    failures = [sample["failure"] for sample in own if sample["failure"] is not None]
    waits = [sample["newcomer_ms"] for sample in good]
    return Row(
        peer=peer,
        figures={name: spread([sample[name] for sample in good]) for name in FIGURES} if good else {},
        rounds=len(good),
        requests=sum(sample["requests"] for sample in own),
        errors=sum(sample["errors"] for sample in own),
        newcomer_ms=None if None in waits or not waits else statistics.median(waits),
        ratio=None,
        failure=failures[0] if failures else None,
    )


def with_ratio(row: Row, reference: float | None) -> Row:
    """Return the row with the ratio of our rate to this one's."""
    if reference is None or not row.figures:
        return row
    ratio = reference / row.figures["rate"].median
    return replace(row, ratio=ratio)
