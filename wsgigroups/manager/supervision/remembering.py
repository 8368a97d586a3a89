"""What is stored of how lives ended, so that the next manager can tell: bounded, and read without trust. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wsgigroups.manager.core.model import LastError

if TYPE_CHECKING:
    from wsgigroups.manager.core.model import GroupState

KEPT_DEATHS = 64  # of a group, those of the latest lives
KEPT_TEXT = 8192  # characters: of a traceback the end counts
KEPT_REQUESTS = 50


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
