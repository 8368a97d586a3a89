"""What a spawner imports before it forks, so that daemons share it.

Runs once in the spawner's main thread. Must import nothing that reads the environment, the home directory or
site-packages, starts a thread, or keeps a descriptor: `site` and `sysconfig` above all come after the fork.
"""

from __future__ import annotations

import importlib
import sys
from typing import Sequence

from ..log import Log
from . import libraries

# Modules nearly every application imports anyway, and those of `site`: what costs little here is shared there.
STANDARD = (
    "_sitebuiltins",
    "collections.abc",
    "contextlib",
    "datetime",
    "functools",
    "io",
    "json",
    "locale",
    "logging",
    "re",
    "traceback",
)


def preload(library_directories: Sequence[str], log: Log) -> None:
    """Import all of it; what an interpreter was built without is said and left out."""
    libraries.preload(library_directories)
    for name in STANDARD:
        try:
            importlib.import_module(name)
        except ImportError as error:
            log("warning", "cannot import %s ahead of the daemons: %s" % (name, error))


def set_title(title: str) -> None:
    """Set what ps shows, where the manager's setproctitle could be loaded."""
    library = sys.modules.get("_wsgigroups_setproctitle")
    if library is not None:
        library.setproctitle(title)
