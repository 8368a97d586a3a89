"""What is stored of a group, and of how its lives ended: bounded, and read without trust. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from wsgigroups.manager.core.model import GroupState, LastError, Proved
from wsgigroups.manager.core.totals import of_these_sites, sites_in, stored
from wsgigroups.plan.desired import target_from_json
from wsgigroups.runtime.wire.routes import site_keys

KEPT_DEATHS = 64  # of a group, those of the latest lives
KEPT_TEXT = 8192  # characters: of a traceback the end counts
KEPT_REQUESTS = 50


def rest_to_json(group: GroupState) -> dict[str, Any]:
    """Return what is stored of a group besides its targets."""
    return {
        "stopped": group.stopped,
        "processes_override": group.processes_override,
        "automatic": group.automatic,
        "restarts": group.restarts,
        "ended": _ended_to_json(group),
        **errors_to_json(group),
    }


def _ended_to_json(group: GroupState) -> dict[str, int]:
    """What processes that have ended have counted; of sites that are gone nobody asks any more."""
    routing = group.target.routing
    return of_these_sites(group.ended, site_keys(routing.text) if routing and sites_in(group.ended) else ())


def group_from_json(item: dict[str, Any]) -> GroupState:
    """Build a group without processes from what was stored. Raises KeyError, TypeError for another shape."""
    target = target_from_json(item["target"])
    # an earlier version stored no target that was proved: what it left running is
    proved = item.get("proved", {})
    known = None
    if proved is not None:
        before = target_from_json(proved["target"]) if "target" in proved else target
        known = Proved(before, proved.get("processes_override"))
    last_error, deaths = errors_from_json(item)
    return GroupState(
        target,
        proved=known,
        watched=known is not None and known.target is not target,
        stopped=bool(item.get("stopped", False)),
        processes_override=item.get("processes_override"),
        automatic=item.get("automatic"),
        restarts=int(item.get("restarts", 0)),
        ended=stored(item.get("ended", {})),
        last_error=last_error,
        deaths=deaths,
    )


def errors_to_json(group: GroupState) -> dict[str, Any]:
    """Return what is stored of a group's last error and of the last deaths of its slots."""
    latest = sorted(group.deaths.values(), key=lambda error: error.life)[-KEPT_DEATHS:]
    return {
        "last_error": _to_json(group.last_error) if group.last_error else None,
        "deaths": [_to_json(error) for error in latest],
    }


def errors_from_json(item: dict[str, Any]) -> tuple[LastError | None, dict[int, LastError]]:
    """Return a last error and the deaths by slot; what this version cannot read is left out."""
    last = item.get("last_error")
    deaths = [error for data in item.get("deaths") or () if (error := _from_json(data))]
    return (_from_json(last) if last else None), {error.slot: error for error in deaths}


def _to_json(error: LastError) -> dict[str, Any]:
    data = asdict(error)
    data["traceback"] = error.traceback[-KEPT_TEXT:]
    data["message"] = error.message[:KEPT_TEXT]
    data["requests"] = [request[:KEPT_TEXT] for request in error.requests[:KEPT_REQUESTS]]
    return data


def _from_json(data: Any) -> LastError | None:
    try:
        return LastError(
            slot=int(data["slot"]),
            life=int(data["life"]),
            message=str(data["message"]),
            traceback=str(data.get("traceback", "")),
            step=str(data.get("step", "")),
            requests=tuple(str(request) for request in data.get("requests", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
