"""What ps shows of a daemon.

Runs in the daemon's main thread, on its way up and when the manager changes display-name.
"""

from __future__ import annotations

import sys
from typing import Any, Optional

from .. import kernel


def set_title(title: str) -> None:
    """Show the title in ps, where setproctitle could be loaded, and its beginning as the command's name."""
    library: Optional[Any] = sys.modules.get("_wsgigroups_setproctitle")
    if library is not None:
        library.setproctitle(title)
    kernel.set_name(title)
