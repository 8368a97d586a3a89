"""The accelerator, an optional extension in C for heads: whether there is one, and whether it is used.

Built where a compiler was at hand when the package was installed; everything works without. Chosen when this module is
imported, which a spawner does before it forks. `WSGIGROUPS_ACCELERATOR=0` in its environment goes without.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Mapping

SWITCH = "WSGIGROUPS_ACCELERATOR"


def load() -> Any:
    """Return the extension module, None where there is none that this interpreter can use."""
    if sys.implementation.name != "cpython" or "t" in sys.abiflags:
        return None  # what it remembers is guarded by the GIL
    try:
        from . import _accelerator
    except ImportError:  # not built, or for another machine
        return None
    return _accelerator


def choose(environ: Mapping[str, str]) -> Any:
    """Return the extension module unless the environment says that it is not to be used."""
    return None if environ.get(SWITCH) == "0" else load()


IN_USE: Any = choose(os.environ)
