"""What the manager that a command would ask listens on: nobody else takes those addresses from a new configuration.

Runs in the user's process.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.cli.main import Globals
    from wsgigroups.config.build import Parts
    from wsgigroups.config.diagnostics import Finding

    Check = Callable[[Parts], list[Finding]]


def with_taken_addresses(options: Globals, check: Check) -> Check:
    """Return a check that finds addresses in use, too; the same one where it cannot be told whose they are."""
    own = _own(options)
    return check if own is None else partial(_both, check, own)


def _both(check: Check, own: frozenset[str], parts: Parts) -> list[Finding]:
    from wsgigroups.host.checks.taken import check_taken
    from wsgigroups.host.listening import listening

    return [*check(parts), *check_taken(parts, listening(), own)]


def _own(options: Globals) -> frozenset[str] | None:
    """The addresses of the manager that runs; none without one. None where that is not known."""
    from wsgigroups.client import Client

    try:
        client = Client(options.run_dir)
        if not client.running():
            # what a manager that died has left listens on, and is taken over
            return None if any((options.run_dir / "spawners").glob("*.sock")) else frozenset()
        if os.geteuid() not in (0, client.path.stat().st_uid):
            return None  # operators are told of their own groups alone
        status = client.status()
    except (WsgigroupsError, OSError):
        return None
    gateway = status.get("gateway")
    listeners = [item["address"] for item in gateway["listeners"]] if gateway else []
    return frozenset([*listeners, *(address for group in status["groups"] for address in group["listen"])])
