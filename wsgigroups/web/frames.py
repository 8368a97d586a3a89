"""What the page is told: the parts of the control API's documents that it shows. Pure.

What tenants wrote is clean when it leaves here, and the page has it as text alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.gateway.shown_addresses import addresses
from wsgigroups.runtime.text import clean, clean_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ERROR_CHARACTERS = 2000
_OF_PROCESS = (
    *("slot", "life", "pid", "state", "uptime_s", "requests_total", "requests_active", "requests_queued"),
    *("rss_bytes", "pss_bytes", "cpu_s", "failures", "retry_in_s"),
)
_OF_DEATH = ("at", "slot", "life", "pid", "up_s", "cause", "asked", "exit_code", "managed", "requests_total")


def look(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return all groups, a row for each."""
    rolled_back = status.get("rolled_back")
    return {
        "revision": status["revision"],
        "rolled_back": rolled_back["revision"] if rolled_back else None,
        "manager": {key: status["manager"][key] for key in ("pid", "version", "uptime_s")},
        "groups": [row(group, status.get("gateway")) for group in status["groups"]],
    }


def row(group: Mapping[str, Any], gateway: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return one group in short."""
    error = group["last_error"]
    return {
        "name": group["name"],
        "state": group["state"],
        "ready": group["processes_ready"],
        "wanted": group["processes_wanted"],
        "restarts": group["restarts"],
        "busy": group["requests_active"],
        "places": group["processes_ready"] * group["threads"],
        "queued": group["requests_queued"],
        "per_s": group["requests_per_s"],
        "p99_s": group["application_p99_s"],
        "memory_bytes": sum(map(held_bytes, [*group["processes"], *group.get("molds", ())])),
        "addresses": [clean(address) for address in addresses(group, gateway)],
        "error": clean(error["message"])[:_ERROR_CHARACTERS] if error and group["state"] != "ready" else None,
        "rolling": group["rollout"] is not None,
    }


def held_bytes(process: Mapping[str, Any]) -> int:
    """What a process takes of the machine: of memory that several share its part, where that is known."""
    return int(process["pss_bytes"] or process["rss_bytes"])


def closer(
    group: Mapping[str, Any],
    gateway: Mapping[str, Any] | None,
    details: Mapping[str, Any],
    deaths: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return one group with its processes, what their threads do, how it is set, and its deaths, the newest first.

    Of the environment there are names only.
    """
    busy = {process["life"]: process["busy"] for process in details["processes"]}
    error = group["last_error"]
    return {
        **row(group, gateway),
        "user": group["user"],
        "python": clean(group["python"]),
        "log": clean(group["log"]),
        "traceback": clean_lines(error["traceback"]) if error and error["traceback"] else None,
        "processes": [_process(process, busy.get(process["life"], ())) for process in group["processes"]],
        "options": {clean(name): clean(value) for name, value in details["options"].items()},
        "variables": [clean(name) for name in details["variables"]],
        "application": clean(details["application"]),
        "deaths": [_death(death) for death in reversed(deaths)],
    }


def _process(process: Mapping[str, Any], busy: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = process["last_exit"]
    return {
        **{key: process[key] for key in _OF_PROCESS},
        "memory_bytes": held_bytes(process),
        "last_exit": clean(last) if last else None,
        "busy": [
            {
                "thread": thread["thread"],
                "asked": clean(thread["asked"]),
                "age_s": thread["age_s"],
                "place": _place(thread["frame"]),
            }
            for thread in busy
        ],
    }


def _place(frame: Mapping[str, Any] | None) -> str:
    return clean(f"{frame['place']} in {frame['function']}") if frame else ""


def _death(death: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: death[key] for key in _OF_DEATH},
        "message": clean(death["message"] or death["signal"] or death["reason"] or ""),
        "requests": [
            {"asked": clean(one["asked"]), "age_s": one["age_s"], "place": _place(one["frame"])}
            for one in death["requests"]
        ],
    }


def event(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return one event."""
    return {**found, "text": clean(found["text"]), "group": clean(found["group"]) if found["group"] else None}
