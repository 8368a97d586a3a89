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
    """Return a check that finds addresses in use, too; nothing is said of them where it cannot be told whose they are.

    A manager is asked only where an address of the configuration is in use.
    """
    return partial(_both, options, check)


def _both(options: Globals, check: Check, parts: Parts) -> list[Finding]:
    from wsgigroups.host.checks.taken import check_taken
    from wsgigroups.host.listening import listening

    there = listening()
    taken = check_taken(parts, there, ())
    if taken:
        own = _own(options)
        taken = [] if own is None else check_taken(parts, there, own)
    return [*check(parts), *taken]


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
        return frozenset(client.addresses()["addresses"])
    except (WsgigroupsError, OSError):  # one of an earlier version does not tell
        return None
