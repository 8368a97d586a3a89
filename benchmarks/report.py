"""RESULTS.md, its plots, and the table in README.md: written from results.json alone.

Runs in the benchmark's process. matplotlib draws where it is installed; the tables need nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    costs_report,
    observing_report,
    parts_report,
    peers,
    scale_report,
    sites_report,
    starts_report,
    summary,
    switches_report,
    tables,
    targets_report,
)
from benchmarks.cases import CASES, HELLO, LAYOUTS, OURS, RIVALS, VARIED, Case
from benchmarks.measuring import WARM_UP_S
from benchmarks.plots import draw

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(results: dict[str, Any], directory: Path) -> None:
    """Write RESULTS.md and the plots into the directory."""
    drawn = draw(results, directory)
    (directory / "RESULTS.md").write_text("\n".join([*document(results), *pictures(drawn)]) + "\n")


def document(results: dict[str, Any]) -> Iterable[str]:
    """Yield the lines of RESULTS.md."""
    yield "# Measured: wsgigroups and what people would use instead"
    yield ""
    yield from how_it_was_measured(results)
    for case in CASES:
        for layout in LAYOUTS:
            found = summary.rows(results["samples"], layout.name, case.name)
            if found:
                yield ""
                yield f"## {layout.name}: {case.title}"
                yield ""
                yield from tables.table(found, results["titles"], case)
    if results.get("switches"):
        yield ""
        yield from switches_report.section(results["switches"])
    if results["costs"]:
        yield ""
        yield from costs_report.section(results["costs"], results["titles"])
    if results["supervision"]:
        yield ""
        yield from supervision_section(results["supervision"])
    sections = {"observing": observing_report, "scale": scale_report, "starts": starts_report, "sites": sites_report}
    for kind, part in sections.items():
        if results.get(kind):
            yield ""
            yield from part.section(results[kind])


def how_it_was_measured(results: dict[str, Any]) -> Iterable[str]:
    """Yield the words that a reader needs to judge the figures, and to repeat them."""
    machine = results["machine"]
    yield (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux "
        f"{machine['kernel']}, Python {machine['python']} for every server. Client and server share the cores."
    )
    yield ""
    yield from parts_report.commands(results["parts"])
    yield ""
    yield (
        "Medians of the rounds with the lowest and highest in brackets. In each round every server is started afresh "
        f"and loaded by wrk (one thread) over loopback, each case after a warm-up of {WARM_UP_S:g} s; the rounds go "
        "over all servers in turn, in a changing order. “1×15” is one process of 15 threads. *CPU* is user and system "
        "time of all of the server's processes, divided by the requests; *ratio* is the rate of wsgigroups divided by "
        "that server's; *newcomer* is the longest that a new connection beside the load waited for its first answer, "
        "“never” when it got none before the load ended: a server that ties a thread to each keep-alive connection "
        "answers those it has, and their latencies say nothing of the others. PSS is their proportional memory after "
        "the load. No server writes an access log, but in the cases that say so: into a file, each its own way. "
        "uWSGI's http-socket closes after each answer; where it does not say so, wrk counts an error each time. Every "
        "server asks for the same queue of new connections, and keeps idle connections for longer than a load lasts. "
        "The beginning of a load, when all clients connect at once, is in its p99 where few requests follow: of 1,600 "
        "the slowest hundredth are 16."
    )
    yield ""
    yield from what_is_asked()
    yield ""
    yield from parts_report.table(results["parts"])
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
    yield ""
    yield from targets_report.section(results)


def what_is_asked() -> Iterable[str]:
    """Yield what the requests of the leading cases are, and how often cases are measured."""
    leading = [case for case in CASES if case.script == VARIED.script and not case.peers]
    most = ", ".join(peers.load(peer).title for peer in (OURS, *RIVALS))
    yield (
        f"The cases {', '.join(case.name for case in leading)} and those with a log are what users get: no two "
        "requests are the same. Path, query, cookie, agent and request id differ each time, in a head of eight fields "
        "as a browser sends it, and so does the answer. *hello*, which stands last, is the other end: the same request "
        "again and again, which flatters whoever remembers it. Every server is installed as its documentation begins, "
        "wsgigroups without extras."
    )
    yield ""
    yield (
        f"Unless the command says otherwise, there are {spoken(leading[0])} ({most}: {leading[0].rounds_of_rivals}) in "
        f"the leading cases, {spoken(HELLO)} in the others; where several processes make no difference, only one is "
        "measured."
    )


def spoken(case: Case) -> str:
    """Return how often and how long a case is measured, in words."""
    return f"{case.rounds} rounds of {case.seconds:g} s"


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
    seconds = storm.get("measured_s", 10.0)
    yield (
        f"| {broken}: manager, spawners and attempts in the {seconds:.0f} s after the first ten "
        f"| {storm['percent_of_a_core']:.1f} % of a core |"
    )


def pictures(names: Sequence[str]) -> Iterable[str]:
    """Yield the links to the plots."""
    for name in names:
        yield ""
        yield f"![{name.removesuffix('.png').replace('-', ' ')}]({name})"


def fill_readme(readme: str, results: dict[str, Any]) -> str:
    """Return README.md with the measured table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *tables.readme_table(results), END]) + after
