"""The tables that say what was reached, right after what was measured with.

Runs in the benchmark's process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.latencies import (
    ERRORS_SHARE,
    LATENCY_RATIO,
    NOTICEABLE_MS,
    STARVED_MS,
    STARVED_TIMES,
    Best,
    Latency,
    latencies,
)
from benchmarks.targets import Target, targets, verdict


def section(results: dict[str, Any]) -> Iterable[str]:
    """Yield the targets, and p99 beside the best of the others."""
    found = list(targets(results))
    yield "## Reached and not reached"
    yield ""
    yield f"{verdict(target.reached for target in found)}.{missed(found)}"
    yield ""
    yield "| target | goal | measured | |"
    yield "|---|---:|---:|---|"
    for target in found:
        yield f"| {target.what} | {target.goal} | {target.measured} | {word(target.reached)} |"
    lines = list(latencies(results))
    if lines:
        yield ""
        yield from latency_section(lines, results["titles"])


def missed(found: Sequence[Target]) -> str:
    """Return a sentence that names what was not reached."""
    names = [f"{target.what} ({target.measured}, {target.goal})" for target in found if target.reached is False]
    return f" Not reached: {'; '.join(names)}." if names else ""


def word(reached: bool | None) -> str:
    """Return the verdict of one line."""
    return "not measured" if reached is None else "reached" if reached else "**not reached**"


def latency_section(lines: Sequence[Latency], titles: dict[str, str]) -> Iterable[str]:
    """Yield p99 in every case and layout."""
    alone = verdict(reached(line, line.best) for line in lines)
    with_bjoern = verdict(reached(line, line.best_with_reference) for line in lines)
    yield (
        f"p99 in every case is to be no more than {LATENCY_RATIO:g} times that of the best other server: {alone}; with "
        f"bjoern, which has one thread and holds up everybody when a request waits, among the others: {with_bjoern}. "
        "Left out of “best” is a server whose p99 says nothing of how it treats its clients: with errors in more than "
        f"{ERRORS_SHARE * 100:g} % of its requests, or one that let a newcomer wait for more than "
        f"{STARVED_MS / 1000:g} s or for ever, or for more than {STARVED_TIMES:g} times its own p99 and "
        f"{NOTICEABLE_MS:g} ms."
    )
    yield ""
    yield "| case | p99 of wsgigroups, ms | best other | ÷ | | best with bjoern | ÷ | | left out |"
    yield "|---|---:|---|---:|---|---|---:|---|---|"
    for line in lines:
        left_out = "; ".join(f"{titles.get(peer, peer)}: {reason}" for peer, reason in line.left_out.items())
        ours = f"{line.p99_ms:.2f}" + (f" ({line.unfit})" if line.unfit else "")
        cells = [ours, *compared(line, line.best, titles), *compared(line, line.best_with_reference, titles)]
        yield f"| {line.layout} {line.case} | {' | '.join(cells)} | {left_out} |"


def reached(line: Latency, best: Best | None) -> bool | None:
    """Return the verdict of one line: with a p99 of ours that says nothing, it is not reached."""
    return None if best is None else best.reached and line.unfit is None


def compared(line: Latency, best: Best | None, titles: dict[str, str]) -> tuple[str, str, str]:
    """Return the cells on the best of the others."""
    if best is None:
        return "none", "–", word(None)
    return f"{titles.get(best.peer, best.peer)}, {best.p99_ms:.2f} ms", f"{best.ratio:.2f}", word(reached(line, best))
