"""The table of one case in one layout, and the one of README.md.

Runs in the benchmark's process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import summary
from benchmarks.cases import ALONE, SIBLINGS, Case
from benchmarks.summary import Row, Spread

README_COLUMNS = (
    (ALONE, "varied", "every request different"),
    (SIBLINGS, "varied", "the same"),
    (ALONE, "flask", "Flask, every request different"),
    (ALONE, "django", "Django page, every request different"),
    (ALONE, "hello", "the same request again and again"),
)


def table(found: Sequence[Row], titles: dict[str, str], case: Case) -> Iterable[str]:
    """Yield the table of one case in one layout."""
    latency = "of the fast ones, " if case.fast_ones else ""
    yield (
        f"| server | requests/s | CPU µs a request | ratio | p50 ({latency}ms) | p99 ({latency}ms) | newcomer ms "
        "| PSS MiB | errors |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in found:
        if row.figures:
            figures = row.figures
            cells = [
                with_range(figures["rate"], "{:,.0f}"),
                cpu_us(row),
                f"{row.ratio:.2f}" if row.ratio else "–",
                f"{figures['p50_ms'].median:.2f}",
                with_range(figures["p99_ms"], "{:.2f}"),
                "never" if row.newcomer_ms is None else f"{row.newcomer_ms:,.0f}",
                f"{figures['pss_mib'].median:.1f}",
                f"{row.errors:,}",
            ]
        else:
            cells = ["failed: " + str(row.failure).splitlines()[0][:80], *[""] * 7]
        yield f"| {titles[row.peer]} | {' | '.join(cells)} |"


def with_range(figure: Spread, form: str) -> str:
    """Return `median (low–high)`."""
    return f"{form.format(figure.median)} ({form.format(figure.low)}–{form.format(figure.high)})"


def cpu_us(row: Row) -> str:
    """Return the processor time of a request, in microseconds."""
    return f"{row.figures['cpu_s_per_10k'].median * 100:,.1f}"  # seconds per 10,000 requests


def readme_table(results: dict[str, Any]) -> list[str]:
    """Return the lines between the marks of README.md: rate and CPU of the cases that say what users get."""
    columns = [
        (layout, title, found)
        for layout, case, title in README_COLUMNS
        if (found := {row.peer: row for row in summary.rows(results["samples"], layout.name, case) if row.figures})
    ]
    lines = [
        "| requests/s | " + " | ".join(f"{title}, {layout.name} | CPU µs" for layout, title, _found in columns) + " |",
        "|---|" + "---:|---:|" * len(columns),
    ]
    for peer in dict.fromkeys(peer for _layout, _title, found in columns for peer in found):
        cells = [cell for _layout, _title, found in columns for cell in rate_and_cpu(found.get(peer))]
        lines.append(f"| {results['titles'][peer]} {results['versions'][peer]} | {' | '.join(cells)} |")
    legend = (
        "“1×15” is one process of 15 threads. *CPU µs* is what a request costs all of the server's processes, in user "
        "and system mode."
    )
    return [*lines, "", legend]


def rate_and_cpu(row: Row | None) -> tuple[str, str]:
    """Return the median rate of one server and what a request costs it, or dashes."""
    return ("–", "–") if row is None else (f"{row.figures['rate'].median:,.0f}", cpu_us(row))
