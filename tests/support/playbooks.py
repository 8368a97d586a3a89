"""Ansible and its linter, in an environment that outlives the test run.

`make test` calls this as a program before the tests, as the account that owns the environment. Elsewhere the first test
that needs it installs it.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from support import kept


def directory() -> Path:
    """Where the environment is, or will be: beside that of the tests."""
    return kept.place("ansible", "ansible")


def installed() -> Path:
    """Return the directory with its programs, made where it is missing. Raises OSError with pip's words."""
    return kept.kept(directory(), lambda path: kept.install(path, "ansible")) / "bin"


def main() -> None:
    """Install it, and forget what earlier requirements left."""
    installed()
    kept.forget_others(directory())
    print(f"Ansible in {directory()}", file=sys.stderr)


if __name__ == "__main__":
    main()
