"""`make lock`: choose anew the versions with which the linters and tests run, and write them down for CI.

uv chooses, and writes `uv.lock`: each file of each package by its hash, for Python 3.10 and every later version. Pip
has the same versions in `tools/constraints.txt` and is told to keep to them (`tools/check.py`): a release of somebody
else's does not change what a commit's tests say. Both name the public index, whatever index the machine has configured:
what another one serves is not what the lock says. uv is installed for this alone.
"""

from __future__ import annotations

import sys
import tempfile

from tools.choose import SetUpError
from tools.environment import CLONE, run, say

CONSTRAINTS = "tools/constraints.txt"
LOCK = "uv.lock"
INDEX = "https://pypi.org/simple"
HEAD = "# Made from uv.lock by `make lock`.\n"
_QUIET = ("--quiet", "--no-config", "--no-progress")


def choosing(uv: str, python: str) -> list[str]:
    """Return the command that chooses and writes the lock."""
    return [uv, "lock", "--upgrade", "--default-index", INDEX, "--python", python, *_QUIET]


def writing(uv: str, python: str) -> list[str]:
    """Return the command that writes what the lock has for pip, without a head."""
    what = ["--all-extras", "--all-groups", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"]
    return [uv, "export", "--frozen", *what, "--python", python, *_QUIET, "-o", CONSTRAINTS]


def main() -> None:
    """Entry point of the make target."""
    try:
        with tempfile.TemporaryDirectory() as place:
            run([sys.executable, "-I", "-m", "venv", place])
            run([f"{place}/bin/python", "-I", "-m", "pip", "install", "--quiet", "uv>=0.9"])
            run(choosing(f"{place}/bin/uv", sys.executable))
            run(writing(f"{place}/bin/uv", sys.executable))
    except SetUpError as problem:
        sys.exit(f"error: {problem}")
    lines = (CLONE / CONSTRAINTS).read_text()
    (CLONE / CONSTRAINTS).write_text(HEAD + lines)
    say(f"{CLONE / CONSTRAINTS}: {len(lines.splitlines())} packages")


if __name__ == "__main__":
    main()
