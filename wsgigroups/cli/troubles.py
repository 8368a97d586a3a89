"""What is to be said of a group besides its row: in a line each, what is wrong first.

Runs in the user's process; given plain data only. What a tenant wrote is clean when it leaves here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from wsgigroups.cli.amounts import counted, duration
from wsgigroups.cli.culprits import last_words
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsgigroups.client.answers import GroupAnswer

_STRAYS = 5  # that are named


def troubles(group: GroupAnswer) -> Iterator[Text]:
    """Return the lines that stand below the row of a group."""
    name = clean(group["name"])
    if error := group["last_error"]:
        yield _reason(group)
    if group.get("unknown"):
        yield Text("unknown, ", style="yellow").append(
            "found running, and nothing says what it should be. It is left alone: `wsgigroups apply FILE` with a file "
            f"that has it takes it over, `wsgigroups stop {name}` ends it.",
            style="",
        )
    unresolved = group.get("unresolved")
    if unresolved and not (error and unresolved in error["message"]):
        yield _line("red", "not as the configuration has it: ", f"{unresolved}; it is tried again")
    for address, why in group.get("unreachable", {}).items():
        yield _line("red", f"nobody can connect to {clean(address)}: ", why)
    for option, why in group["not_in_force"].items():
        yield _line("yellow", f"{clean(option)} is not in force: ", why)
    if group.get("strays"):  # a manager of an earlier version has none
        yield Text(_strays(group["strays"]), style="yellow")
    if unanswered := _unanswered(group):
        yield Text(f"of its requests {unanswered}", style="yellow")
    if rollout := _rollout(group):
        yield Text(rollout, style="cyan")
    if group.get("scaled"):
        yield Text("its number of processes is one given by hand", style="dim")
    elif scaling := group.get("scaling"):
        limits = f"{scaling['processes_min']} to {scaling['processes_max']}"
        yield Text(f"{limits} processes by its load: {clean(scaling['reason'])}", style="dim")
        if scaling["held"]:
            yield _line("yellow", "no more processes now: ", scaling["held"])


def _strays(pids: Sequence[int]) -> str:
    named = ", ".join(map(str, pids[:_STRAYS])) + (", …" if len(pids) > _STRAYS else "")
    ends = "ends" if len(pids) == 1 else "end"
    number = counted(len(pids), "process", "processes")
    return f"left behind, or helpers: {number} ({named}), which {ends} with the user's last"


def _line(style: str, what: str, why: str) -> Text:
    return Text(what, style=style).append(clean(why), style="")


def _reason(group: GroupAnswer) -> Text:
    """Why it is as it is: of a group that is ready, how its last process ended that was not asked to."""
    error = group["last_error"]
    assert error is not None
    ready = group["state"] == "ready"
    told = clean(last_words(error["traceback"]) or error["message"])
    text = Text("", style="dim" if ready else "")
    if ready:
        text.append(f"{clean(group['name'])}/{error['slot']} life {error['life']}: ")
    text.append(told, style="" if ready else "red")
    return text.append(f"   → wsgigroups why {clean(group['name'])}", style="")


def _unanswered(group: GroupAnswer) -> str:
    """Which of its requests the application was not asked, or did not end by itself; "" if none."""
    found = (
        (group.get("queue_timeouts", 0), "waited for longer than queue-timeout (504)"),
        (group.get("refused", 0), "found no place within connect-timeout (503)"),
        (group.get("interrupted", 0), "interrupted at request-timeout"),
    )
    return ", ".join(f"{count} {what}" for count, what in found if count)


def _rollout(group: GroupAnswer) -> str:
    """How far the replacement of its processes is; "" while there is none."""
    rollout = group.get("rollout")
    if not rollout:
        return ""
    text = f"processes are replaced: {rollout['new_ready']} new, {rollout['old_ready']} old"
    if rollout["watched_s"]:
        text += f", what is new has to last for {duration(rollout['watched_s'])} more"
    return text + (", there is no memory for more at once" if rollout["short_of_memory"] else "")
