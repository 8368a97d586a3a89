"""Times as people give them to a command: how long ago, or a time of the clock."""

from __future__ import annotations

import time

import click


def moment(since: str | None) -> float:
    """Seconds since the epoch. Raises click.UsageError."""
    from datetime import datetime, timezone

    from wsgigroups.config.units import parse_duration

    if since is None:
        return 0.0
    try:
        return max(0.0, time.time() - parse_duration(since))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(since.replace("Z", "+00:00"))
        return max(0.0, (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp())
    except (ValueError, OverflowError):
        raise click.UsageError(f"--since: {since!r} is neither a duration such as 10m nor a time.") from None
