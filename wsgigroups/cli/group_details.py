"""What `status GROUP` says below the table: how the group is set, what became of it, what happened, what it said last.

Runs in the user's process. What a tenant wrote is clean when it leaves here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from rich.console import Group
from rich.text import Text

from wsgigroups.cli.amounts import memory
from wsgigroups.cli.events import line as event_line
from wsgigroups.cli.output import indented
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.shown_addresses import addresses
from wsgigroups.runtime.text import clean
from wsgigroups.trust.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.client import Client
    from wsgigroups.client.answers import GatewayAnswer, GroupAnswer, GroupDetailsAnswer

EVENTS = 8  # the newest
LINES = 10  # of the log
_TAIL_BYTES = 65536
_CONFINED = {"enforced": "green", "partly": "yellow", "missing": "red", "unknown": "dim"}


def details(client: Client, group: GroupAnswer, gateway: GatewayAnswer | None) -> Iterator[Text | Group]:
    """Return what to print of one group."""
    name = clean(group["name"])
    if group["confinement"]:
        yield _confinement(group)
    error = group["last_error"]
    if error and error["traceback"] and group["state"] != "ready":
        yield Text(f"\n{name}/{error['slot']} life {error['life']}: ", style="red").append(
            clean(error["message"]) + "\n" + "\n".join(indented(error["traceback"])), style=""
        )
    yield Text(f"\n{name}: how it is set", style="bold")
    for what, value in _facts(group, _asked(client, group["name"]), gateway):
        yield Text(f"  {what:<12}  ", style="dim").append(clean(value), style="")
    yield Text(f"\n{name}: what happened last", style="bold")
    query = urlencode({"group": group["name"], "limit": EVENTS})
    for event in client.events(f"?{query}")["events"]:
        yield Text(f"  {event_line(event)}")
    yield Text(f"\n{name}: {clean(group['log'])}", style="bold")
    for text in _log(group["log"]):
        yield Text(f"  {text}")


def _asked(client: Client, name: str) -> GroupDetailsAnswer | None:
    try:
        return client.group(name)
    except WsgigroupsError:
        return None  # a manager of an earlier version does not know


def _facts(
    group: GroupAnswer, found: GroupDetailsAnswer | None, gateway: GatewayAnswer | None
) -> Iterator[tuple[str, str]]:
    if group.get("files"):
        yield "file", ", ".join(group["files"])
    if found:
        yield "application", found["application"] or "none"
        options = [f"{name} {value}" for name, value in found["options"].items()]
        yield "options", f"{', '.join(options) or 'none'}, all others are the defaults"
        if found["variables"]:
            yield "environment", f"{', '.join(found['variables'])} (values are not shown)"
        yield "home", found["home"] or "the manager's working directory"
    home = f", in {found['python_home']}" if found and found["python_home"] else ""
    yield "python", f"{group['python']}, {group['interpreter']}{home}"
    if group["user"]:
        yield "user", f"{group['user']}, group {group['group']}"
    for mold in group.get("molds", ()):
        held = memory(mold["pss_bytes"] or mold["rss_bytes"])
        yield "mold", f"pid {mold['pid']}, {held}, made {mold['started_at']}: it forks the processes"
    yield "addresses", " ".join(addresses(group, gateway)) or "none"
    sites = gateway["sites"] if gateway else []
    mounts = [f"{site['name']}{path}" for site in sites for path, to in site["mounts"].items() if to == group["name"]]
    if mounts:
        yield "mounts", " ".join(mounts)


def _log(path: str) -> list[str]:
    """The last lines of a log, or why there are none."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError as error:
        return [f"({(error.strerror or 'it cannot be read').lower()})"]
    return [clean(line, "\t") for line in lines[-LINES:]] or ["(nothing yet)"]


def _confinement(group: GroupAnswer) -> Group:
    """Each option that the group asks for, and what became of it in its processes, those alike together."""
    asked = dict(group["confinement"])
    lines = [Text(f"\n{group['name']}: confinement {asked.pop('confinement')}")]
    for option, value in asked.items():
        found: dict[tuple[str, str], list[str]] = {}
        for process in group["processes"]:
            outcome = process["confinement"].get(option)
            if outcome:
                name = f"{group['name']}/{process['slot']}"
                found.setdefault((outcome["state"], outcome["reason"]), []).append(name)
        line = Text(f"  {option} {value}")
        for (state, reason), names in found.items():
            line.append(f"\n    {state}", style=_CONFINED[state])
            line.append((f" in {', '.join(names)}" if len(found) > 1 else "") + (f": {reason}" if reason else ""))
        lines.append(line)
    return Group(*lines)
