"""Two small pictures of the results: requests per second and p99 of every case, relative to wsgigroups.

Runs in the benchmark's process, only where matplotlib is installed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from benchmarks import summary
from benchmarks.cases import CASES, LAYOUTS

COLOURS = ("#0b6e4f", "#d1495b", "#8d99ae", "#edae49", "#66a182", "#2e4057", "#a05195", "#9c6644")


def draw(results: dict[str, Any], directory: Path) -> list[str]:
    """Write one picture per layout; return their names, none where nothing can be drawn."""
    if importlib.util.find_spec("matplotlib") is None or not results["samples"]:
        return []
    return [
        name
        for layout in LAYOUTS
        if (name := draw_layout(results, layout.name, directory / f"results-{layout.processes}x{layout.threads}.png"))
    ]


def draw_layout(results: dict[str, Any], layout: str, path: Path) -> str | None:
    """Draw rates and p99 of one layout, side by side on logarithmic axes; return the file's name."""
    from matplotlib.figure import Figure

    measured = {case.name: summary.rows(results["samples"], layout, case.name) for case in CASES}
    cases = [name for name, found in measured.items() if any(row.figures for row in found)]
    if not cases:
        return None
    titles = results["titles"]
    picture = Figure(figsize=(10, 4.2), dpi=80, layout="constrained")
    for axes, figure, title in zip(
        picture.subplots(1, 2), ("rate", "p99_ms"), ("requests per second", "p99, ms"), strict=True
    ):
        width = 0.8 / len(titles)
        for position, (peer, name) in enumerate(titles.items()):
            points = [
                (number + position * width, row.figures[figure].median)
                for number, case in enumerate(cases)
                for row in measured[case]
                if row.peer == peer and row.figures
            ]
            if points:
                places, heights = zip(*points, strict=True)
                axes.bar(places, heights, width, label=name, color=COLOURS[position % len(COLOURS)])
        axes.set_yscale("log")
        axes.set_title(f"{title}, {layout}", fontsize=10)
        axes.set_xticks([number + 0.4 - width / 2 for number in range(len(cases))], cases, fontsize=8)
        axes.tick_params(axis="y", labelsize=8)
        axes.grid(axis="y", alpha=0.3)
    handles, labels = picture.axes[0].get_legend_handles_labels()
    picture.legend(handles, labels, fontsize=7, loc="outside lower center", ncols=5)
    picture.savefig(path)
    return path.name
