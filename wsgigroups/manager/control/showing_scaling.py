"""What the status and `plan` say of processes that follow the load. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.manager.control.documents import ScalingDocument

if TYPE_CHECKING:
    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.scaler import Scaler


def document(scaler: Scaler, group: GroupState) -> ScalingDocument | None:
    """The law of one group: its limits, what it wants, and why."""
    limits = group.target.scaling
    if limits is None:
        return None
    want, pinned = scaler.want(group.target.name), group.processes_override is not None
    return ScalingDocument(
        processes_min=limits.minimum,
        processes_max=limits.maximum,
        pinned=pinned,
        asleep=group.asleep,
        reason=_reason(scaler, group),
        held=(want.held or None) if want else None,
        queue_wait_s=round(want.wait_s, 4) if want else None,
        delay_s=scaler.delay_s(group.target.name),
    )


def sentence(scaler: Scaler, group: GroupState) -> str:
    """What the law has a group have now, for `plan`; "" where the number is fixed or the group is stopped."""
    limits = group.target.scaling
    if limits is None or group.stopped or group.removing:
        return ""
    number = f"{group.wanted} process{'' if group.wanted == 1 else 'es'}"
    if group.processes_override is not None:
        return (
            f"{number}, {_reason(scaler, group)}; after an apply by its load, from {limits.minimum} to {limits.maximum}"
        )
    want = scaler.want(group.target.name)
    held = f"; no more now: {want.held}" if want and want.held else ""
    return f"{number} by its load, from {limits.minimum} to {limits.maximum}: {_reason(scaler, group)}{held}"


def _reason(scaler: Scaler, group: GroupState) -> str:
    if group.stopped or group.removing:
        return "stopped"
    if group.processes_override is not None:
        return "given by hand"
    if group.asleep:
        return "nobody asks for anything"
    want = scaler.want(group.target.name)
    return want.reason if want else "not looked at yet"
