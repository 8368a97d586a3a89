"""Death records as a document. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from wsgigroups.manager.control.documents import DeathDocument, DeathsDocument, FrameDocument, RequestAtDeathDocument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.manager.core.deaths import Death, RequestAtDeath
    from wsgigroups.manager.core.stacks import Frame


def document(found: Iterable[Death], *, logs: bool) -> DeathsDocument:
    """Return these records. logs: with what the processes said last."""
    return DeathsDocument(deaths=[_death(death, logs=logs) for death in found])


def _death(death: Death, *, logs: bool) -> DeathDocument:
    at = datetime.fromtimestamp(death.at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return DeathDocument(
        at=at,
        group=death.group,
        slot=death.slot,
        life=death.life,
        pid=death.pid,
        up_s=death.up_s,
        cause=death.cause,
        asked=death.asked,
        reason=death.reason or None,
        message=death.message,
        step=death.step or None,
        exit_code=death.exit_code,
        signal=death.signal or None,
        managed=death.managed,
        requests=[_request(request) for request in death.requests],
        requests_total=death.requests_total,
        stack=[frame_document(frame) for frame in death.stack],
        rss_bytes=death.rss_bytes,
        cpu_s=death.cpu_s,
        revision=death.revision,
        log=list(death.log) if logs else None,
    )


def _request(request: RequestAtDeath) -> RequestAtDeathDocument:
    frame = request.frame
    return RequestAtDeathDocument(
        asked=request.asked,
        age_s=request.age_s,
        thread=request.thread,
        frame=frame_document(frame) if frame else None,
        stack=[frame_document(item) for item in request.stack],
    )


def frame_document(frame: Frame) -> FrameDocument:
    """Return one call of a stack."""
    return FrameDocument(kind=frame.kind, place=frame.place, function=frame.function, count=frame.count)
