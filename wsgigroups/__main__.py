"""The command line: `wsgigroups`, and `python -m wsgigroups`. What takes time to import is imported by it."""

import os
import sys

from wsgigroups import collecting
from wsgigroups.manager import early_signals


def main() -> None:
    """Listen to signals, where this is to become a manager, and run the command."""
    if early_signals.is_manager(sys.argv[1:]):
        early_signals.hold()
    collecting.seldom()
    # no code of other packages in what may be root: pydantic would look through all that is installed, and load it
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from wsgigroups.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
