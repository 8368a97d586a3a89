"""What processes have of the manager that started them where the configuration is silent: its directory, its locale.

Those that follow it have others of their own, and go on with these, so that nothing is replaced because of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.manager.store import Stored
    from wsgigroups.targets.resolve import Surroundings


def note(stored: Stored, around: Surroundings) -> None:
    """Have what is stored say it."""
    stored.cwd, stored.locale = str(around.cwd), dict(around.locale)


def inherited(stored: Stored, around: Surroundings) -> Surroundings:
    """Return the surroundings of what runs. What an earlier version has not stored is that of this process."""
    return replace(
        around,
        cwd=Path(stored.cwd) if stored.cwd else around.cwd,
        locale=around.locale if stored.locale is None else dict(stored.locale),
    )
