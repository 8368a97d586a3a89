"""`make clean`: remove what the other targets made, wherever they had to make it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tools import facts
from tools.choose import SetUpError, choose_place
from tools.environment import CLONE, say

IN_CLONE = (".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", "dist")


def main() -> None:
    """Remove the build directory and the caches in the clone; what is not ours stays."""
    try:
        account = facts.daemon_account()
        place = Path(choose_place(facts.places(CLONE, account), account.name).path)
    except SetUpError as problem:
        sys.exit(f"error: {problem}")
    notes = Path(tempfile.gettempdir(), f"wsgigroups-notes-{account.uid}")
    if notes.is_dir():  # what the quickstart's Django application kept; removed as the account that it belongs to
        say(f"Removing {notes}")
        facts.holds_for(account, lambda: removed(notes))
    for path in (place, *(CLONE / name for name in IN_CLONE)):
        if path.is_dir():
            say(f"Removing {path}")
            shutil.rmtree(path)


def removed(path: Path) -> bool:
    """Remove a directory; tell whether it is gone."""
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


if __name__ == "__main__":
    main()
