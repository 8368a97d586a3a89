"""The table of one case in one layout, and the one of README.md.

Runs in the benchmark's process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import summary
from benchmarks.cases import CASES, LAYOUTS, Case
from benchmarks.summary import Row, Spread

README_CASES = ("hello", "page", "sleep")


def table(found: Sequence[Row], titles: dict[str, str], case: Case) -> Iterable[str]:
    """Yield the table of one case in one layout."""
    latency = "of the fast ones, " if case.fast_ones else ""
    yield (
        f"| server | requests/s | ratio | p50 ({latency}ms) | p99 ({latency}ms) | newcomer ms "
        "| CPU s per 10,000 | PSS MiB | errors |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in found:
        if row.figures:
            figures = row.figures
            cells = [
                with_range(figures["rate"], "{:,.0f}"),
                f"{row.ratio:.2f}" if row.ratio else "–",
                f"{figures['p50_ms'].median:.2f}",
                with_range(figures["p99_ms"], "{:.2f}"),
                "never" if row.newcomer_ms is None else f"{row.newcomer_ms:,.0f}",
                f"{figures['cpu_s_per_10k'].median:.3f}",
                f"{figures['pss_mib'].median:.1f}",
                f"{row.errors:,}",
            ]
        else:
            cells = ["failed: " + str(row.failure).splitlines()[0][:80], *[""] * 7]
        yield f"| {titles[row.peer]} | {' | '.join(cells)} |"


def with_range(figure: Spread, form: str) -> str:
    """Return `median (low–high)`."""
    return f"{form.format(figure.median)} ({form.format(figure.low)}–{form.format(figure.high)})"


def readme_table(results: dict[str, Any]) -> list[str]:
    """Return the lines between the marks of README.md: requests per second of three cases, 1 × 15 threads."""
    found = {
        case.name: rows
        for case in CASES
        if case.name in README_CASES and (rows := summary.rows(results["samples"], LAYOUTS[0].name, case.name))
    }
    cases = [case for case in CASES if case.name in found]
    lines = [
        "| one process, 15 threads, requests/s | " + " | ".join(f"{case.title} | ratio" for case in cases) + " |",
        "|---|" + "---:|---:|" * len(cases),
    ]
    for peer in [row.peer for row in found.get("hello", []) if row.figures]:
        cells = [cell for case in cases for cell in rate_and_ratio(found[case.name], peer)]
        lines.append(f"| {results['titles'][peer]} {results['versions'][peer]} | {' | '.join(cells)} |")
    return [*lines, "", "*Ratio* is the rate of wsgigroups divided by that server's."]


def rate_and_ratio(found: Sequence[Row], peer: str) -> tuple[str, str]:
    """Return the median rate of one server and what ours is of it, or dashes."""
    for row in found:
        if row.peer == peer and row.figures:
            return f"{row.figures['rate'].median:,.0f}", f"{row.ratio:.2f}" if row.ratio else "–"
    return "–", "–"
