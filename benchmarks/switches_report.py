"""The section on what each mechanism of the request path is worth: pure, over the data of results.json.

Runs in the benchmark's process.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.inside.switches import SWITCHES
from benchmarks.summary import spread

FIGURES = ("rate", "cpu_s_per_10k", "p99_ms")
Pair = tuple[dict[str, Any], dict[str, Any]]


def section(samples: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Yield the section."""
    yield "## What each mechanism is worth"
    yield ""
    yield (
        "Pairs of loads with a mechanism of the request path and without it, one right after the other, of a server "
        "without manager and spawner, started afresh each time. *On ÷ off* is the median of the pairs, with the lowest "
        "and highest in brackets: of rates, more is better, of CPU a request and of p99, less."
    )
    yield ""
    yield (
        "| without it | case | pairs | requests/s on | off | on ÷ off | CPU µs on | off | on ÷ off "
        "| p99 ms on | off | on ÷ off |"
    )
    yield "|---|---|---:|" + "---:|---:|---:|" * len(FIGURES)
    for switch in SWITCHES:
        for case in switch.cases:
            of_case = [sample for sample in samples if (sample["switch"], sample["case"]) == (switch.name, case)]
            if of_case:
                layout = of_case[0]["layout"]
                yield f"| *{switch.name}*: {switch.without} | {layout} {case} | {' | '.join(cells(of_case))} |"


def cells(samples: Sequence[dict[str, Any]]) -> list[str]:
    """Return the figures of one switch in one case."""
    found = pairs(samples)
    if not found:
        reason = next(str(sample["failure"]) for sample in samples if sample["failure"] is not None)
        return ["failed: " + reason.splitlines()[0][:80], *[""] * 3 * len(FIGURES)]
    rows = [str(len(found))]
    for figure in FIGURES:
        form, factor = ("{:,.0f}", 1) if figure == "rate" else ("{:.2f}", 100 if figure == "cpu_s_per_10k" else 1)
        rows += [form.format(statistics.median(pair[place][figure] for pair in found) * factor) for place in (0, 1)]
        ratio = spread([on[figure] / max(off[figure], 1e-9) for on, off in found])
        rows.append(f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})")
    return rows


def pairs(samples: Sequence[dict[str, Any]]) -> list[Pair]:
    """Return the samples of each round with and without, where both succeeded."""
    good = {(sample["round"], sample["peer"]): sample for sample in samples if sample["failure"] is None}
    rounds = sorted({number for number, _position in good})
    return [(good[n, "on"], good[n, "off"]) for n in rounds if (n, "on") in good and (n, "off") in good]
