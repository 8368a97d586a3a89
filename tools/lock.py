"""`make lock`: choose anew the versions with which the linters and tests run, and write them down for CI.

`tools/constraints.txt` has a line for each package that the project, its extras and its dependency groups need, for
Python 3.10 and every later version. pip is told to keep to it (`tools/check.py`): a release of somebody else's does not
change what a commit's tests say. Where packages come from is not in it. uv chooses; it is installed for this alone.
"""

from __future__ import annotations

import sys
import tempfile

from tools.choose import SetUpError
from tools.environment import CLONE, run, say

CONSTRAINTS = "tools/constraints.txt"
GROUPS = ("ansible", "apps", "bench", "docs", "lint", "real", "tests")
OLDEST = "3.10"


def command(uv: str) -> list[str]:
    """Return the command that writes the file."""
    groups = [word for group in GROUPS for word in ("--group", group)]
    how = ["--universal", "--python-version", OLDEST, "--all-extras", "--upgrade", "--no-annotate", "--quiet"]
    return [
        uv,
        "pip",
        "compile",
        *how,
        *groups,
        "--custom-compile-command",
        "make lock",
        "-o",
        CONSTRAINTS,
        "pyproject.toml",
    ]


def main() -> None:
    """Entry point of the make target."""
    try:
        with tempfile.TemporaryDirectory() as place:
            run([sys.executable, "-I", "-m", "venv", place])
            run([f"{place}/bin/python", "-I", "-m", "pip", "install", "--quiet", "uv>=0.5"])
            run(command(f"{place}/bin/uv"))
    except SetUpError as problem:
        sys.exit(f"error: {problem}")
    say(f"{CLONE / CONSTRAINTS}: {len((CLONE / CONSTRAINTS).read_text().splitlines())} lines")


if __name__ == "__main__":
    main()
