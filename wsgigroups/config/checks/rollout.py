"""Options of a rollout against each other. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults

_NOTHING = (0, "0%")


def check_rollout(group: Group, _server: ServerDefaults) -> Iterator[tuple[str, str, str, str]]:
    """Yield code, option, message and hint."""
    rollout = group.rollout
    if rollout.max_surge in _NOTHING and rollout.max_unavailable in _NOTHING:
        yield (
            "WG0529",
            "rollout.max-surge",
            "with max-surge 0 there is no room for a successor, and with max-unavailable 0 no process may leave first",
            "set max-unavailable = 1, or leave max-surge out",
        )
    for option in ("health-status", "health-timeout", "health-host"):
        if rollout.is_set(option) and rollout.health_path is None:
            yield "WG0530", f"rollout.{option}", f"{option} belongs to health-path, which is not set", "set health-path"
    watched = rollout.min_ready_time or rollout.canary_time
    for option in ("abort-error-rate", "abort-minimum-requests"):
        if rollout.is_set(option) and rollout.abort_error_rate and not watched:
            message = f"with min-ready-time 0 and canary-time 0 nothing is watched for as long as {option} needs"
            yield "WG0530", f"rollout.{option}", message, "set min-ready-time or canary-time"
    if rollout.is_set("abort-minimum-requests") and not rollout.abort_error_rate:
        message = "abort-minimum-requests belongs to abort-error-rate, which is 0, off"
        yield "WG0530", "rollout.abort-minimum-requests", message, "set abort-error-rate"
    startup_s, health_s = group.startup_timeout, rollout.health_timeout
    if rollout.health_path and 0 < startup_s <= health_s and rollout.is_set("health-timeout"):
        message = (
            f"startup-timeout is over after {format_duration(startup_s)}, health-path included: "
            f"health-timeout, {format_duration(health_s)}, never decides"
        )
        yield "WG0530", "rollout.health-timeout", message, "set startup-timeout above health-timeout"
