"""`make clean`: remove what the other targets made, wherever they had to make it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tools import facts
from tools.choose import SetUpError, choose_place
from tools.environment import CLONE, say

IN_CLONE = (
    ".hypothesis",
    ".import_linter_cache",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",  # of hatch_build.py, which pip imports to build
    "dist",
    "site",
)


def main() -> None:
    """Remove the build directory and the caches in the clone; what is not ours stays."""
    try:
        account = facts.daemon_account()
        place = Path(choose_place(facts.places(CLONE, account), account.name).path)
    except SetUpError as problem:
        sys.exit(f"error: {problem}")
    for path in (place, *(CLONE / name for name in IN_CLONE)):
        if path.is_dir():
            say(f"Removing {path}")
            shutil.rmtree(path)


if __name__ == "__main__":
    main()
