"""From the options of a rollout to what the manager and a new process make of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.plan.desired import RolloutTarget, Share
from wsgigroups.runtime.wire.spec import Health

if TYPE_CHECKING:
    from wsgigroups.config import Group


def rollout_of(group: Group) -> RolloutTarget:
    """How the group's processes are replaced."""
    options = group.rollout
    return RolloutTarget(
        max_surge=Share.written(options.max_surge),
        max_unavailable=Share.written(options.max_unavailable),
        min_ready_time_s=options.min_ready_time,
        canary=Share.written(options.canary),
        canary_time_s=options.canary_time,
        abort_error_rate=options.abort_error_rate,
        abort_minimum_requests=options.abort_minimum_requests,
    )


def health_of(group: Group) -> Health | None:
    """What the application of a new process has to answer before it joins; None: nothing."""
    options = group.rollout
    if options.health_path is None:
        return None
    return Health(options.health_path, options.health_status, options.health_timeout, options.health_host)
