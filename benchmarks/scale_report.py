"""The section of RESULTS.md on a thousand groups, and on two hundred beside what starts as many of other servers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.many import FLEETS, SETTLES_S

AGAIN_S = 1.5
CHANGE_S = 1.0
RSS_MIB = 200.0
IDLE_PERCENT = 2.0
REPLACED_MS = 30.0
SHARE = 1 / 3  # of the time, and of the memory, that others take


def section(figures: dict[str, Any]) -> Iterable[str]:
    """Yield what many groups cost."""
    groups, count = figures["groups"], figures["count"]
    yield "## Many groups"
    yield ""
    yield f"| {groups:,} groups of one process | goal | measured | |"
    yield "|---|---:|---:|---|"
    yield f"| `wsgigroups apply`, from nothing to all ready | – | {figures['first_s']:.1f} s | |"
    for what, goal, unit, key in (
        ("`wsgigroups apply` of the same file: no changes", AGAIN_S, "s", "again_s"),
        ("`wsgigroups -q apply` with one group changed, until its new process serves", CHANGE_S, "s", "change_s"),
        ("processes that such a change touches", 1, "", "touched"),
        ("resident memory of the manager", RSS_MIB, "MiB", "rss_mib"),
        ("processor time of the idle manager, of a core", IDLE_PERCENT, "%", "idle_percent"),
        (f"`kill -9` of a daemon until its successor answers, median of {figures['kills']}", REPLACED_MS, "ms",
         "replaced_ms"),
    ):  # fmt: skip
        value = figures[key]
        yield f"| {what} | ≤ {goal:g} {unit} | {value:.3g} {unit} | {_word(value <= goal)} |"
    yield ""
    yield (
        f"{count} hello applications of one process and two threads, each at a UNIX socket of its own: seconds from "
        f"the command until all of them have answered, and PSS of all processes, {SETTLES_S:.0f} s later, divided by "
        "the applications."
    )
    yield ""
    yield "| | all answer | ours ÷ theirs | PSS each | ours ÷ theirs | |"
    yield "|---|---:|---:|---:|---:|---|"
    fleets = figures["fleets"]
    ours = fleets["wsgigroups"]
    for fleet in FLEETS:
        found = fleets.get(fleet.name)
        if found is None:
            yield f"| {fleet.title} | not measured | | | | |"
            continue
        ratios = [ours[key] / found[key] for key in ("ready_s", "pss_mib")]
        compared = ["", ""] if found is ours else [f"{ratio:.2f}" for ratio in ratios]
        verdict = "" if found is ours else _word(max(ratios) <= SHARE)
        yield (
            f"| {fleet.title} | {found['ready_s']:.2f} s | {compared[0]} | {found['pss_mib']:.2f} MiB | {compared[1]} "
            f"| {verdict} |"
        )
    yield ""
    yield "Both ratios are to be at most a third."


def _word(reached: bool) -> str:
    return "reached" if reached else "**not reached**"
