"""From a group's target to the spec of one process: slot, life, and what is spread over the lives. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.plan.desired import GroupTarget
    from wsgigroups.runtime.wire.spec import Serving, Spec


def spread(life: int) -> float:
    """A number in [0, 1) that differs from life to life and is the same in a replay."""
    return (life * 2654435761 % 2**32) / 2**32


def serving_of(target: GroupTarget, life: int) -> Serving:
    """Return what the request path of this life needs to know: the target's, spread over the lives."""
    serving = target.spec.serving
    if not serving.maximum_requests:
        return serving
    # at most 10 % earlier, so that the processes of a group do not go together
    jittered = serving.maximum_requests - int(serving.maximum_requests * 0.1 * spread(life))
    return replace(serving, maximum_requests=jittered)


def title_of(target: GroupTarget, slot: int) -> str:
    """Return what ps shows of the process in this slot."""
    return target.spec.title or f"wsgigroups: {target.name}/{slot}"


def build_spec(target: GroupTarget, record: Record, umask: int | None = None) -> Spec:
    """Return the complete spec of this life. umask: inherited by a group that sets none."""
    return replace(
        target.spec,
        slot=record.slot,
        life=record.life,
        fingerprint=record.fingerprint,
        title=title_of(target, record.slot),
        serving=serving_of(target, record.life),
        pulses=True,
        umask=umask if target.spec.umask is None else target.spec.umask,
    )
