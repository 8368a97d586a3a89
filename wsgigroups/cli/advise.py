"""`wsgigroups advise [GROUP…]`: what to change about groups, with the arithmetic."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.completing import complete_groups
from wsgigroups.cli.output import OUTPUT_FORMATS, plain_console, write_data
from wsgigroups.cli.values import DURATION
from wsgigroups.cli.verbs import Verb
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import GroupAnswer
    from wsgigroups.metrics.advising import Report, WorkDone

_COUNTERS = (
    *("requests_total", "application_time_s", "queue_time_s", "send_time_s", "cpu_s", "wakes", "late_s"),
    *("queue_timeouts", "refused", "slow_requests"),
)
_MOST_WATCHED_S = 3600.0


@click.command("advise", cls=Verb)
@click.argument("groups", metavar="[GROUP…]", nargs=-1, shell_complete=complete_groups)
@click.option(
    "--for", "watched", type=DURATION, default=None, help="Watch for so long, instead of all since they began."
)
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, groups: tuple[str, ...], watched: float | None, output: str) -> None:
    """Say what to change about groups: processes, threads, limits, with the arithmetic."""
    from wsgigroups.cli.status import select
    from wsgigroups.client import Client
    from wsgigroups.host.budget import budget
    from wsgigroups.metrics.advising import advise

    client = Client(options.run_dir)
    before: Sequence[GroupAnswer] = select(client.status(), groups)["groups"]
    if watched is not None:
        time.sleep(min(watched, _MOST_WATCHED_S) if math.isfinite(watched) else _MOST_WATCHED_S)
    status = client.status()
    now: Sequence[GroupAnswer] = select(status, groups)["groups"] if watched is not None else before
    there = budget(status["manager"]["pid"])
    former = {group["name"]: group for group in before} if watched is not None else {}
    found = [
        advise(work_of(group, former.get(group["name"])), there.processors, there.memory_bytes)
        for group in now
        if not group["name"].startswith("@")
    ]
    if output != "text":
        machine = {"processors": there.processors, "memory_bytes": there.memory_bytes}
        write_data({"schema_version": 1, **machine, "groups": [as_data(report) for report in found]}, output)
        return
    out = plain_console(options.color)
    for report in found:
        for line in sentences(report):
            out.print(clean(line), markup=False)


def work_of(group: GroupAnswer, before: GroupAnswer | None) -> WorkDone:
    """What the ready processes of a group have done since they began, or since a look at it before."""
    from wsgigroups.metrics.advising import WorkDone

    members: Sequence[Mapping[str, Any]] = [each for each in group["processes"] if each["state"] == "ready"]
    earlier: Mapping[int, Mapping[str, Any]] = {}
    if before is not None:
        earlier = {each["life"]: each for each in before["processes"]}
    sums = dict.fromkeys(_COUNTERS, 0.0)
    process_s = 0.0
    for each in members:
        was = earlier.get(each["life"], {})
        process_s += max(0.0, each["uptime_s"] - was.get("uptime_s", 0.0))
        for name in _COUNTERS:
            sums[name] += max(0.0, each.get(name, 0) - was.get(name, 0))
    return WorkDone(
        name=group["name"],
        processes=len(members),
        threads=group["threads"],
        process_s=process_s,
        requests=int(sums["requests_total"]),
        application_s=sums["application_time_s"],
        queue_s=sums["queue_time_s"],
        send_s=sums["send_time_s"],
        cpu_s=sums["cpu_s"],
        wakes=int(sums["wakes"]),
        late_s=sums["late_s"],
        unserved=int(sums["queue_timeouts"] + sums["refused"]),
        slow=int(sums["slow_requests"]),
        pss_bytes=max((each["pss_bytes"] or each["rss_bytes"] for each in members), default=0),
    )


def sentences(report: Report) -> Iterator[str]:
    """A group for people, a line each."""
    work = report.work
    many = "process" if work.processes == 1 else "processes"
    yield f"{work.name}: {work.processes} {many} of {work.threads} threads, {work.requests} requests"
    for line in report.figures if work.requests else ():
        yield f"  {line}"
    for item in report.advice:
        change = f"{item.option} = {item.advised}  (now {item.now})" if item.advised else f"look at {item.option}"
        yield f"  → {change}"
        yield f"    {item.why}"
    if report.fine:
        yield f"  → {report.fine}"


def as_data(report: Report) -> dict[str, Any]:
    """The same for programs."""
    work = report.work
    return {
        "name": work.name,
        "processes": work.processes,
        "threads": work.threads,
        "requests": work.requests,
        "watched_s": round(work.process_s / work.processes, 3) if work.processes else 0.0,
        "pss_bytes": work.pss_bytes,
        **report.shares,
        "advice": [
            {"option": item.option, "now": item.now, "advised": item.advised, "why": item.why} for item in report.advice
        ],
        "fine": report.fine,
    }
