"""What `[server]` says of the manager itself, as a plan shows it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.observing import places_of
from wsgigroups.config.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.server import ServerDefaults

DRAIN_DELAY = "drain-delay"


def own_options(server: ServerDefaults) -> Mapping[str, str]:
    """Return the manager's own options, as text by their names; what is off is not there."""
    return {**places_of(server).by_option, **drain_delay_text(server.drain_delay)}


def drain_delay_text(seconds: float) -> Mapping[str, str]:
    """Return drain-delay likewise; 0: it is off."""
    return {DRAIN_DELAY: format_duration(seconds)} if seconds else {}
