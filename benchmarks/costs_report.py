"""The section on what a request costs: user and system time, system calls, functions, the board.

Runs in the benchmark's process.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks import targets
from benchmarks.cases import OURS, REFERENCE

TOP = 20
WAITING = ("'poll' of 'select.epoll'", "'acquire' of '_thread.lock'")
RARE = 0.0005  # calls per request that are not worth a line


def section(costs: dict[str, Any], titles: dict[str, str]) -> Iterable[str]:
    """Yield the section."""
    profile = costs["profile"]
    yield "## What a request costs"
    yield ""
    yield f"The case {costs.get('case', 'hello')}, 32 keep-alive connections, one process of 15 threads."
    yield ""
    yield from split(profile, titles)
    yield ""
    yield from board(costs)
    yield ""
    yield from access_logs(costs["access_log"])
    yield ""
    yield from calls(profile["calls"], titles)
    yield ""
    yield from functions(profile["functions"])


def split(profile: dict[str, Any], titles: dict[str, str]) -> Iterable[str]:
    """Yield user and system time per request, and in words what there is more than in bjoern."""
    yield "| processor time per request | user, µs | system, µs | together, µs |"
    yield "|---|---:|---:|---:|"
    for peer, figures in profile["split"].items():
        user_us, system_us = figures["user_us"], figures["system_us"]
        yield f"| {titles.get(peer, peer)} | {user_us:.1f} | {system_us:.1f} | {user_us + system_us:.1f} |"
    words = difference(profile)
    if words:
        yield ""
        yield words


def difference(profile: dict[str, Any]) -> str:
    """Return what a request costs more than in bjoern, and where that goes; empty where one was not measured."""
    ours, theirs = profile["split"].get(OURS), profile["split"].get(REFERENCE)
    if ours is None or theirs is None:
        return ""
    user_us, system_us = ours["user_us"] - theirs["user_us"], ours["system_us"] - theirs["system_us"]
    text = (
        f"A request costs wsgigroups {user_us + system_us:+.1f} µs over bjoern: {user_us:+.1f} µs in user mode, where "
        f"bjoern has C and wsgigroups has Python, and {system_us:+.1f} µs in the kernel"
    )
    counts = {
        peer: sum(count for name, count, _us in found["calls"] if name != "futex")  # strace itself multiplies these
        for peer, found in profile["calls"].items()
        if "failure" not in found
    }
    if len(counts) > 1:
        text += f" ({counts[OURS]:.2f} system calls per request but futex, bjoern {counts[REFERENCE]:.2f})"
    functions = profile["functions"]
    if "failure" not in functions:
        python = [(name, own) for name, _calls, own, _whole in functions["functions"] if " " in name and ".py" in name]
        whole = sum(own for _name, own in python) or 1.0
        most = ", ".join(f"`{name}` {own / whole * 100:.0f} %" for name, own in python[:5])
        text += f". Of the time in Python functions, most goes into {most}"
    return text + "."


def board(costs: dict[str, Any]) -> Iterable[str]:
    """Yield what the board costs."""
    figures = costs["board"]
    if "failure" in figures:
        yield f"The board was not measured: {figures['failure']}."
        return
    share, cost_ns = targets.publishes_per_request(costs), targets.board_ns(costs)
    often = "once per request" if share is None else f"{share:.2f} times per request under this load"
    yield (
        f"The board: {figures['request_ns']:.0f} ns to note a request, with the looks at the clock; "
        f"{figures['publish_ns']:.0f} ns to add a thread's tally to it before a wait, {often}: "
        f"{(cost_ns or 0) / 1000:.2f} µs together. A request that comes alone pays "
        f"{(figures['request_ns'] + figures['publish_ns']) / 1000:.2f} µs, when its answer has left."
    )


def access_logs(figures: dict[str, Any]) -> Iterable[str]:
    """Yield what an access log adds."""
    if "failure" in figures:
        yield f"Access logs were not measured: {figures['failure']}."
        return
    yield (
        "An access log, switched on and off in one process under this load: each stretch of a tenth of a "
        "second beside those before and after it, medians, and between what half of the stretches are."
    )
    yield ""
    yield "| access log | stretches | CPU per request | requests/s |"
    yield "|---|---:|---:|---:|"
    for form, of in figures.items():
        cpu = f"{of['cpu_percent']:+.1f} % ({of['cpu_low']:+.1f} to {of['cpu_high']:+.1f})"
        rate = f"{-of['rate_percent']:+.1f} % ({-of['rate_high']:+.1f} to {-of['rate_low']:+.1f})"
        yield f"| {form} | {of['pairs']:.0f} | {cpu} | {rate} |"


def calls(profile: dict[str, Any], titles: dict[str, str]) -> Iterable[str]:
    """Yield the system calls of each server side by side."""
    found = {peer: {row[0]: row for row in of["calls"]} for peer, of in profile.items() if "failure" not in of}
    for peer, of in profile.items():
        if "failure" in of:
            yield f"System calls of {titles.get(peer, peer)} were not counted: {of['failure']}"
            yield ""
    if not found:
        return
    yield (
        "System calls, counted by strace, which slows the server: it finds more to do in each round than otherwise. "
        "Slowed so, it may also hand over where it would not, which are the calls of futex. Times are the kernel's as "
        "strace tells them; those of calls that wait or wake say little."
    )
    yield ""
    yield "| system call | " + " | ".join(f"{titles.get(p, p)}: per request | µs" for p in found) + " |"
    yield "|---|" + "---:|---:|" * len(found)
    names = sorted({name for rows in found.values() for name in rows}, key=lambda name: (-most(found, name), name))
    for name in names:
        if most(found, name) >= RARE:
            cells = [cell(rows.get(name)) for rows in found.values()]
            yield f"| {name} | {' | '.join(cells)} |"


def most(found: dict[str, dict[str, list[Any]]], name: str) -> float:
    """Return how often the server that makes the call most often makes it."""
    return max(float(rows[name][1]) if name in rows else 0.0 for rows in found.values())


def cell(row: list[Any] | None) -> str:
    """Return count and time of one call."""
    return "– | –" if row is None else f"{row[1]:.3f} | {row[2]:.2f}"


def functions(profile: dict[str, Any]) -> Iterable[str]:
    """Yield the functions that take most."""
    if "failure" in profile:
        yield f"The functions were not profiled: {profile['failure']}"
        return
    rows = [row for row in profile["functions"] if row[0] not in WAITING]
    whole = sum(own for _name, _calls, own, _whole in rows)
    yield (
        f"Functions by their own time, from cProfile in the request threads over {profile['requests']:,} requests, "
        f"waiting for events and for locks left out: {whole:.1f} µs per request together. The profiler makes calls "
        "dearer than they are, small ones above all; the time of a system call includes waiting for the "
        "interpreter's lock."
    )
    yield ""
    yield "| function | calls per request | own µs | with what it calls, µs |"
    yield "|---|---:|---:|---:|"
    for name, count, own, with_called in rows[:TOP]:
        yield f"| `{name}` | {count:.2f} | {own:.2f} | {with_called:.2f} |"
