"""Routes read back from what a gateway is told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.routes import from_text

if TYPE_CHECKING:
    from wsgigroups.plan.routing import RoutingTarget
    from wsgigroups.runtime.wire.routes import Routes


def read_routes(routing: RoutingTarget) -> Routes:
    """Return the routes. Raises ValueError, KeyError, TypeError for a text that is none of ours."""
    return from_text(routing.text)
