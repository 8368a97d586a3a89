"""When and how the parts of the results were measured, and what else the machine did.

Runs in the benchmark's process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import peers, store
from benchmarks.cases import CASES, LAYOUTS, Case
from benchmarks.quiet import NOISY_PERCENT

Part = dict[str, Any]


def commands(parts: Sequence[Part]) -> Iterable[str]:
    """Yield the commands that measure the same again."""
    for number, part in enumerate(parts):
        words = ["python -m benchmarks.run", *(["--merge"] if number else []), f"--parts {part['what']}"]
        if part["what"] == "loads":
            words.append("--cases " + ",".join(case.name for case in cases_of(part)))
            words.append(
                "--layouts " + ",".join(layout.option for layout in LAYOUTS if layout.name in layouts_of(part))
            )
            if set(part["peers"]) != set(peers.NAMES):
                words.append("--peers " + ",".join(part["peers"]))
        if part["what"] not in store.APART and part["seconds"]:
            words.append(f"--rounds {part['rounds']} --seconds {part['seconds']:g}")
        yield f"    {' '.join(words)}"


def layouts_of(part: Part) -> set[str]:
    """Return the layouts that a part measured."""
    return {layout for layout, _case in part["cells"]}


def cases_of(part: Part, layout: str | None = None) -> list[Case]:
    """Return the cases that a part measured, in one layout or in any."""
    names = {case for of, case in part["cells"] if layout in (None, of)}
    return [case for case in CASES if case.name in names]


def table(parts: Sequence[Part]) -> Iterable[str]:
    """Yield a line per part."""
    yield (
        "| measured | what | rounds | seconds each | other load before | other load during: median, highest "
        f"| loads with more than {NOISY_PERCENT:g} % |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|"
    for part in parts:
        cells = [when(part), content(part), *runs(part), *other_load(part["other_load"])]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "*Other load* is what neither the benchmark nor its client nor the server used, and what the hypervisor gave "
        "to others, in per cent of the processor time of all cores. Interrupts are not counted: most of them are the "
        "load's own."
    )


def when(part: Part) -> str:
    """Return the time; of the oldest parts, the day alone is known."""
    return f"{part['began']} to {part['ended']}" if part["ended"] else str(part["began"])


def runs(part: Part) -> tuple[str, str]:
    """Return the cells on rounds and seconds; where the command did not say, they are those of each case."""
    if part["what"] in store.APART:
        return "", ""
    if not part["seconds"]:
        return f"up to {part['rounds']}" if part["rounds"] else "", "by case"
    return str(part["rounds"]), f"{part['seconds']:g}"


def content(part: Part) -> str:
    """Return what a part measured."""
    if part["what"] != "loads":
        return str(part["what"])
    return "; ".join(
        f"{layout.name}: {', '.join(case.name for case in cases_of(part, layout.name))}"
        for layout in LAYOUTS
        if layout.name in layouts_of(part)
    )


def other_load(figures: dict[str, float]) -> tuple[str, str, str]:
    """Return the cells on other load; a dash where it was not recorded."""
    before = "–"
    if "before_percent" in figures:
        before = f"{figures['before_percent'] + figures['before_stolen_percent']:.0f} %"
    if "loads" not in figures:
        return before, "–", "–"
    during = f"{figures['median_percent']:.0f} %, {figures['highest_percent']:.0f} %"
    return before, during, f"{figures['noisy']:.0f} of {figures['loads']:.0f}"
