"""From a group's target to the spec of one process: slot, life, and what is spread over the lives. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.spec import Spec, from_wire

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.plan.desired import GroupTarget


def spread(life: int) -> float:
    """A number in [0, 1) that differs from life to life and is the same in a replay."""
    return (life * 2654435761 % 2**32) / 2**32


def build_spec(target: GroupTarget, record: Record) -> Spec:
    """Return the complete spec of this life."""
    template = from_wire(dict(target.spec))
    serving = template.serving
    if serving.maximum_requests:
        # at most 10 % earlier, so that the processes of a group do not go together
        jittered = serving.maximum_requests - int(serving.maximum_requests * 0.1 * spread(record.life))
        serving = replace(serving, maximum_requests=jittered)
    title = template.title or f"wsgigroups: {record.group}/{record.slot}"
    return replace(
        template,
        slot=record.slot,
        life=record.life,
        fingerprint=record.fingerprint,
        title=title,
        serving=serving,
        pulses=True,
    )
