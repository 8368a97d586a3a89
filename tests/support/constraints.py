"""The versions that `make lock` has written down, for environments that tests make of an index.

Runs in pytest's process and in the programs that `make test` calls before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

FILE = Path(__file__).parents[2] / "tools" / "constraints.txt"
OLDEST = (3, 10)  # the first Python that they are for


def constrained(requirements: Sequence[str], version: tuple[int, ...]) -> list[str]:
    """Return the arguments of `pip install` for these requirements on that version of Python."""
    return [*(("--constraint", str(FILE)) if version >= OLDEST else ()), *requirements]


def digest(requirements: Sequence[str], *more: str) -> str:
    """Return what changes whenever an environment of these requirements has to be made again."""
    return hashlib.sha256("\0".join([*more, *requirements, FILE.read_text()]).encode()).hexdigest()[:8]
