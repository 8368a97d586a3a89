"""RESULTS.md, its plots, and the table in README.md: written from results.json alone.

Runs in the benchmark's process. matplotlib draws where it is installed; the tables need nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import summary
from benchmarks.cases import CASES, LAYOUTS, Case
from benchmarks.plots import draw
from benchmarks.summary import Row, Spread

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
README_CASES = ("hello", "page", "sleep")


def write(results: dict[str, Any], directory: Path) -> None:
    """Write RESULTS.md and the plots into the directory."""
    drawn = draw(results, directory)
    (directory / "RESULTS.md").write_text("\n".join([*document(results), *pictures(drawn)]) + "\n")


def document(results: dict[str, Any]) -> Iterable[str]:
    """Yield the lines of RESULTS.md."""
    machine, command = results["machine"], results["command"]
    yield "# Measured: wsgigroups and what people would use instead"
    yield ""
    yield from how_it_was_measured(results, machine, command)
    for layout in LAYOUTS:
        for case in CASES:
            found = summary.rows(results["samples"], layout.name, case.name)
            if found:
                yield ""
                yield f"## {layout.name}: {case.title}"
                yield ""
                yield from table(found, results["titles"], case)
    if results["supervision"]:
        yield ""
        yield from supervision_section(results["supervision"])


def repeated(results: dict[str, Any]) -> str:
    """Return the arguments that measure the same again."""
    samples, command = results["samples"], results["command"]
    cases = ",".join(case.name for case in CASES if any(sample["case"] == case.name for sample in samples))
    layouts = ",".join(sorted({sample["layout"].replace("×", "x") for sample in samples}))
    peers = ",".join(results["versions"])
    return (
        f"--cases {cases} --layouts {layouts} --peers {peers} "
        f"--rounds {command['rounds']} --seconds {command['seconds']:g}"
    )


def how_it_was_measured(results: dict[str, Any], machine: dict[str, Any], command: dict[str, Any]) -> Iterable[str]:
    """Yield the words that a reader needs to judge the figures, and to repeat them."""
    yield (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux "
        f"{machine['kernel']}, Python {machine['python']} for every server. Client and server share the cores."
    )
    yield ""
    yield f"    python -m benchmarks.run {repeated(results)}"
    yield ""
    yield (
        f"Medians of {command['rounds']} rounds with the lowest and highest in brackets. In each round every server is "
        f"started afresh, warmed up for a second, and loaded by wrk (one thread) over loopback for "
        f"{command['seconds']:g} s; the rounds go over all servers in turn, in a changing order. “1×15” is one process "
        "of 15 threads. *Ratio* is the rate of wsgigroups divided by that server's. CPU is user and system time of all "
        "of the server's processes; *newcomer* is the longest that a new connection beside the load waited for its "
        "first answer, “never” when it got none before the load ended: a server that ties a thread to each keep-alive "
        "connection answers those it has, and their latencies say nothing of the others. PSS is their proportional "
        "memory after the load. No server writes an access log. wrk sends the same header fields with every request, "
        "and wsgigroups remembers the last fields of a connection: clients that change theirs cost it more. "
        "uWSGI's http-socket closes after each answer without saying so, which wrk counts as an error each time."
    )
    if results.get("remark"):
        yield ""
        yield f"**{results['remark']}**"
    yield ""
    yield "| server | version |"
    yield "|---|---|"
    for peer, version in results["versions"].items():
        yield f"| {results['titles'][peer]} | {version} |"
    for peer, reason in results["absent"].items():
        yield f"| {peer} | not measured: {reason} |"


def table(found: Sequence[Row], titles: dict[str, str], case: Case) -> Iterable[str]:
    """Yield the table of one case in one layout."""
    latency = "of the fast ones, " if case.by_latency else ""
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


def supervision_section(figures: dict[str, Any]) -> Iterable[str]:
    """Yield what supervision costs."""
    apply, memory = figures["apply"], figures["memory"]
    yield "## Supervision"
    yield ""
    yield "| what | figure |"
    yield "|---|---|"
    for name, words in (
        ("version", "`wsgigroups --version`"),
        ("status", f"`wsgigroups status` with {apply['groups']} groups"),
        ("apply_again", "`wsgigroups apply` of the same file: no changes"),
    ):
        yield f"| {words} | {figures[name]['cpu_ms']:.0f} ms of CPU, {figures[name]['elapsed_ms']:.0f} ms elapsed |"
    yield (
        f"| `wsgigroups apply` of {apply['groups']} groups of one process, from nothing to all ready "
        f"| {apply['elapsed_s']:.1f} s |"
    )
    yield f"| memory per daemon (PSS, median of {memory['daemons']:.0f}) | {memory['daemon_pss_mib']:.1f} MiB |"
    yield f"| memory of all daemons (PSS) | {memory['daemons_pss_mib']:.0f} MiB |"
    yield f"| memory of manager and spawners (PSS) | {memory['manager_and_spawners_pss_mib']:.0f} MiB |"
    gap, storm = figures["replacement"], figures["storm"]
    yield (
        f"| `kill -9` of a daemon while {gap['clients']} keep-alive clients run, {gap['kills']} times: until its "
        f"successor is ready | median {gap['median_ms']:.0f} ms, at most {gap['maximum_ms']:.0f} ms |"
    )
    yield f"| requests failed in all of those, of {gap['answers']} | {gap['failures']} |"
    if "failures_elsewhere" in gap:
        yield f"| of these on connections to other processes | {gap['failures_elsewhere']} |"
    killed = storm.get("killed_groups", 0)
    broken = f"{storm['groups']} applications that cannot be imported"
    if killed:
        broken = (
            f"{storm['groups'] - killed} applications that cannot be imported and {killed} killed with `kill -9` "
            "whenever they are ready"
        )
    yield f"| {broken}, after 10 s: manager, spawners and attempts | {storm['percent_of_a_core']:.1f} % of a core |"


def pictures(names: Sequence[str]) -> Iterable[str]:
    """Yield the links to the plots."""
    for name in names:
        yield ""
        yield f"![{name.removesuffix('.png').replace('-', ' ')}]({name})"


def readme_table(results: dict[str, Any]) -> list[str]:
    """Return the lines between the marks of README.md: requests per second of three cases, 1 × 15 threads."""
    found = {
        case.name: rows
        for case in CASES
        if case.name in README_CASES and (rows := summary.rows(results["samples"], LAYOUTS[0].name, case.name))
    }
    cases = [case for case in CASES if case.name in found]
    order = [row.peer for row in found["hello"] if row.figures]
    lines = [
        "| one process, 15 threads, requests/s | " + " | ".join(case.title for case in cases) + " |",
        "|---|" + "---:|" * len(cases),
    ]
    for peer in order:
        cells = [rate_of(found[case.name], peer) for case in cases]
        lines.append(f"| {results['titles'][peer]} {results['versions'][peer]} | {' | '.join(cells)} |")
    return lines


def rate_of(found: Sequence[Row], peer: str) -> str:
    """Return the median rate of one server, or a dash."""
    for row in found:
        if row.peer == peer and row.figures:
            return f"{row.figures['rate'].median:,.0f}"
    return "–"


def fill_readme(readme: str, results: dict[str, Any]) -> str:
    """Return README.md with the measured table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *readme_table(results), END]) + after
