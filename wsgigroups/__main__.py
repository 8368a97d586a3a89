"""The command line: `wsgigroups`, and `python -m wsgigroups`. What takes time to import is imported by it."""

import sys

from wsgigroups.manager import early_signals


def main() -> None:
    """Listen to signals, where this is to become a manager, and run the command."""
    if early_signals.is_manager(sys.argv[1:]):
        early_signals.hold()
    from wsgigroups.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
