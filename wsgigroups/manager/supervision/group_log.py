"""The manager's log lines about one group: so many a second, the others are counted.

Runs in the manager's only thread. What a tenant does makes lines; without a bound one tenant fills the disk and hides
what the others do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.rates import Quota

if TYPE_CHECKING:
    from collections.abc import Callable

LINES_PER_S = 50


class GroupLog:
    """A log with a quota for each group."""

    def __init__(self, log: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._quotas: dict[str, Quota] = {}

    def log(self, group: str, level: str, text: str) -> None:
        """Write a line about this group; "" is the manager itself, whose lines no tenant causes."""
        if not group:
            self._log(level, text)
            return
        passes, left_out = self._quotas.setdefault(group, Quota(LINES_PER_S)).ask(self._clock())
        if not passes:
            return
        if left_out:
            self._log("warning", f"{group}: {left_out} lines were left out, more than {LINES_PER_S} came in a second")
        self._log(level, text)

    def forget(self, group: str) -> None:
        """The group is gone."""
        self._quotas.pop(group, None)
