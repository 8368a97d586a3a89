"""What was to be reached, and whether it was: pure, over the data of results.json."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks import log_costs, peers, summary
from benchmarks.cases import ALONE, LAYOUTS, OURS, SIBLINGS, Layout
from benchmarks.summary import Row


@dataclass(frozen=True)
class Ratio:
    """What one of our figures is to be, divided by that of another server: at least for rates, at most for CPU."""

    case: str
    layout: Layout
    figure: str  # of summary.FIGURES
    peer: str
    limit: float


RATIOS = (
    Ratio("varied", ALONE, "rate", "granian", 1.0),
    Ratio("varied", ALONE, "rate", "uwsgi_keepalive", 2.0),
    Ratio("varied", ALONE, "cpu_s_per_10k", "granian", 0.8),
    Ratio("varied", SIBLINGS, "rate", "granian", 1.1),
    Ratio("flask", ALONE, "rate", "granian", 1.0),
    Ratio("flask", ALONE, "cpu_s_per_10k", "granian", 0.9),
    Ratio("hello", ALONE, "rate", "granian", 1.0),
    Ratio("hello", ALONE, "rate", "uwsgi", 2.5),
    Ratio("hello", ALONE, "rate", "uwsgi_keepalive", 2.5),
    Ratio("hello", ALONE, "rate", "waitress", 8.0),
    Ratio("hello", ALONE, "rate", "gunicorn", 12.0),
    Ratio("hello", ALONE, "rate", "mod_wsgi", 7.0),
)
FIGURE_WORDS = {"rate": "requests/s", "cpu_s_per_10k": "CPU a request"}
SLEEP_S = 0.010
SLEEP_SHARE = 0.95
MIX_RATIO = 1.2
MIX_PEER = "granian"
SLOW_HEADS_RATIO = 2.0
ACCESS_LOG_PERCENT = 5.0
BOARD_NS = 1000.0


@dataclass(frozen=True)
class Target:
    """One line of the table; reached is None where it was not measured."""

    what: str
    goal: str
    measured: str
    reached: bool | None


def targets(results: dict[str, Any]) -> Iterable[Target]:
    """Yield all targets but the latencies of each case."""
    samples, titles = results["samples"], results["titles"]
    for ratio in RATIOS:
        yield ratio_target(ratio, summary.rows(samples, ratio.layout.name, ratio.case), titles)
    for layout in LAYOUTS:
        yield sleep_target(layout, summary.rows(samples, layout.name, "sleep"))
    for layout in LAYOUTS:
        yield mix_target(layout, summary.rows(samples, layout.name, "mix"), titles)
    for layout in LAYOUTS:
        yield slow_heads_target(layout, *(summary.rows(samples, layout.name, case) for case in ("slow", "paced")))
    for form in log_costs.FORMATS:
        yield access_target(form, results["costs"])
    yield board_target(results["costs"])


def ratio_target(wanted: Ratio, rows: list[Row], titles: dict[str, str]) -> Target:
    """Return how one of our figures stands to that of another server."""
    ours, theirs = median_of(rows, OURS, wanted.figure), median_of(rows, wanted.peer, wanted.figure)
    least = wanted.figure == "rate"
    title = titles.get(wanted.peer) or peers.load(wanted.peer).title
    what = f"{wanted.case}, {wanted.layout.name}: {FIGURE_WORDS[wanted.figure]} of wsgigroups ÷ {title}"
    goal = f"{'≥' if least else '≤'} {wanted.limit:g}"
    if ours is None or not theirs:
        return Target(what, goal, "not measured", None)
    ratio = ours / theirs
    return Target(what, goal, f"{ratio:.2f}", ratio >= wanted.limit if least else ratio <= wanted.limit)


def median_of(rows: list[Row], peer: str, figure: str) -> float | None:
    """Return the median of a server's row; None where it was not measured."""
    return next((row.figures[figure].median for row in rows if row.peer == peer and row.figures), None)


def sleep_target(layout: Layout, rows: list[Row]) -> Target:
    """Return how near to the ideal a handler that only waits comes: all threads waiting all the time."""
    ideal = layout.processes * layout.threads / SLEEP_S
    rate = median_of(rows, OURS, "rate")
    return Target(
        what=f"handler that waits 10 ms, {layout.name}: requests/s ÷ the {ideal:,.0f} that the threads could do",
        goal=f"≥ {SLEEP_SHARE:g}",
        measured="not measured" if rate is None else f"{rate / ideal:.3f} ({rate:,.0f}/s)",
        reached=None if rate is None else rate / ideal >= SLEEP_SHARE,
    )


def mix_target(layout: Layout, rows: list[Row], titles: dict[str, str]) -> Target:
    """Return the p99 of the fast requests beside slow ones, over Granian's."""
    p99_ms = {row.peer: row.figures["p99_ms"].median for row in rows if row.figures}
    ours, theirs = p99_ms.get(OURS), p99_ms.get(MIX_PEER)
    known = ours is not None and theirs is not None and theirs > 0
    ratio = ours / theirs if known and ours is not None and theirs is not None else None
    return Target(
        what=f"mix, {layout.name}: p99 of the fast requests ÷ {titles.get(MIX_PEER) or peers.load(MIX_PEER).title}'s",
        goal=f"≤ {MIX_RATIO:g}",
        measured="not measured" if ratio is None else f"{ratio:.2f} ({ours:.2f} ms over {theirs:.2f} ms)",
        reached=None if ratio is None else ratio <= MIX_RATIO,
    )


def slow_heads_target(layout: Layout, beside: list[Row], without: list[Row]) -> Target:
    """Return what a thousand slow heads cost the others: their p99 over what it is without those."""
    slow, paced = median_of(beside, OURS, "p99_ms"), median_of(without, OURS, "p99_ms")
    ratio = slow / paced if slow is not None and paced else None
    return Target(
        what=f"200 requests/s, {layout.name}: p99 beside 1,000 slow heads ÷ p99 without",
        goal=f"≤ {SLOW_HEADS_RATIO:g}",
        measured="not measured" if ratio is None else f"{ratio:.2f} ({slow:.2f} ms over {paced:.2f} ms)",
        reached=None if ratio is None else ratio <= SLOW_HEADS_RATIO,
    )


def access_target(form: str, costs: dict[str, Any] | None) -> Target:
    """Return whether the log is as cheap as it is to be, in processor time and in requests per second."""
    what = f"access log, {form}: CPU per request more, requests/s less"
    goal = f"≤ {ACCESS_LOG_PERCENT:g} %"
    figures = (costs or {}).get("access_log", {}).get(form)
    if figures is None:
        return Target(what, goal, "not measured", None)
    cpu, rate = figures["cpu_percent"], figures["rate_percent"]
    return Target(what, goal, f"{cpu:+.1f} % CPU, {-rate:+.1f} % requests/s", max(cpu, rate) <= ACCESS_LOG_PERCENT)


def board_target(costs: dict[str, Any] | None) -> Target:
    """Return what counting costs a request, with its share of adding up."""
    cost_ns = board_ns(costs)
    return Target(
        what="the board, time in Python per request",
        goal="< 1 µs",
        measured="not measured" if cost_ns is None else f"{cost_ns / 1000:.2f} µs",
        reached=None if cost_ns is None else cost_ns < BOARD_NS,
    )


def board_ns(costs: dict[str, Any] | None) -> float | None:
    """Return the nanoseconds of one request on the board: counting, and adding up as often as under load."""
    if costs is None or "failure" in costs["board"]:
        return None
    share = publishes_per_request(costs)
    return float(costs["board"]["request_ns"] + costs["board"]["publish_ns"] * (1.0 if share is None else share))


def publishes_per_request(costs: dict[str, Any]) -> float | None:
    """Return how often a request of the profiled load added up; None where there is no profile."""
    functions = costs["profile"]["functions"]
    if "failure" in functions:
        return None
    found = [calls for name, calls, _own, _whole in functions["functions"] if name.endswith("tally.py publish")]
    return min(1.0, sum(found)) if found else None


def verdict(found: Iterable[bool | None]) -> str:
    """Return how many were reached, in words."""
    known = list(found)
    reached = sum(value is True for value in known)
    missing = sum(value is None for value in known)
    words = f"{reached} of {len(known)} reached"
    if missing:
        words += f", {missing} not measured"
    return words
