"""The section of RESULTS.md on sites: pure, over the data of results.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.cases import ALONE, OURS
from benchmarks.sites import OVER_TLS, PLAIN, SITES
from benchmarks.summary import Row, rows
from benchmarks.targets import median_of

NGINX, APACHE = "nginx_uwsgi", "mod_wsgi"
RATE_GOALS = {NGINX: 1.0, APACHE: 3.0}
P99_RATIO = 1.2
IDLE_MIB = 15.0
LOOKUP_US = 5.0
APPLY_S = 10.0
CHANGE_MS = 100.0
_COLUMNS = "| | requests/s | wsgigroups ÷ | | CPU | p99 | wsgigroups ÷ | |"


def section(figures: dict[str, Any]) -> Iterable[str]:
    """Yield what sites cost, beside others and the goals."""
    yield "## Two sites on one address"
    yield ""
    yield (
        "One process in front, one group of one process with 15 threads behind it, two sites (nginx: two server blocks "
        "of one worker, Apache: two virtual hosts) on one address. wrk asks both in turn. CPU is that of all processes "
        f"for one request. Rounds in turn, {figures['rounds']} of {figures['seconds']:g} s; medians. p99 is to be no "
        f"more than {P99_RATIO:g} times that of the best other."
    )
    for peer, reason in figures["absent"].items():
        yield ""
        yield f"Without {figures['titles'][peer]}: {reason}."
    for case in PLAIN:
        found = rows(figures["samples"], ALONE.name, case.name)
        yield ""
        yield f"**{case.title}**"
        yield ""
        yield _COLUMNS
        yield "|---|---:|---:|---|---:|---:|---:|---|"
        yield from (_compared(row, found, figures["titles"]) for row in found)
    yield ""
    yield "Over TLS there is no goal:"
    yield ""
    yield "| | | each second | CPU | p99 |"
    yield "|---|---|---:|---:|---:|"
    for case in OVER_TLS:
        for row in rows(figures["samples"], ALONE.name, case.name):
            yield f"| {case.title} | {figures['titles'][row.peer]} | {' | '.join(_plain(row))} |"
    yield ""
    yield "| | goal | measured | |"
    yield "|---|---:|---:|---|"
    many = figures["many"]
    for what, goal, value, unit in (
        ("PSS of an idle gateway", IDLE_MIB, figures["idle_pss_mib"], "MiB"),
        (f"{SITES:,} sites: a look-up", LOOKUP_US, many["lookup_us"], "µs"),
        (f"{SITES:,} sites: `wsgigroups -q apply`, from nothing to all served", APPLY_S, many["apply_s"], "s"),
        (f"{SITES:,} sites: a changed route, from the text of the routes until it is live", CHANGE_MS,
         many["change_ms"], "ms"),
    ):  # fmt: skip
        measured = "not measured" if value is None else f"{value:.3g} {unit}"
        yield f"| {what} | < {goal:g} {unit} | {measured} | {word(None if value is None else value < goal)} |"
    yield (
        f"| {SITES:,} sites: the whole `wsgigroups -q apply` of a file in which one route has changed | – | "
        f"{many['change_s']:.3g} s | |"
    )


def _compared(row: Row, found: list[Row], titles: dict[str, str]) -> str:
    cells = _plain(row)
    rate, p99_ms = median_of(found, OURS, "rate"), median_of(found, OURS, "p99_ms")
    theirs, their_p99_ms = median_of(found, row.peer, "rate"), median_of(found, row.peer, "p99_ms")
    goal = RATE_GOALS.get(row.peer)
    if goal is None or rate is None or p99_ms is None or not theirs or not their_p99_ms:
        return f"| {titles[row.peer]} | {cells[0]} | | | {cells[1]} | {cells[2]} | | |"
    best_ms = min(each for peer in RATE_GOALS if (each := median_of(found, peer, "p99_ms")) is not None)
    verdict = word(rate / theirs >= goal)
    best = word(p99_ms <= P99_RATIO * best_ms) if their_p99_ms == best_ms else ""
    ratio, slower = f"{rate / theirs:.2f} (≥ {goal:g})", f"{p99_ms / their_p99_ms:.2f}"
    return f"| {titles[row.peer]} | {cells[0]} | {ratio} | {verdict} | {cells[1]} | {cells[2]} | {slower} | {best} |"


def _plain(row: Row) -> list[str]:
    if not row.figures:
        return [row.failure or "failed", "", ""]
    medians = {name: figure.median for name, figure in row.figures.items()}
    return [f"{medians['rate']:,.0f}", f"{medians['cpu_s_per_10k'] * 100:.1f} µs", f"{medians['p99_ms']:.2f} ms"]


def word(reached: bool | None) -> str:
    """Return the verdict of one line."""
    return "" if reached is None else "reached" if reached else "**not reached**"
