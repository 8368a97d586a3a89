"""A command line that somebody may type next, with the global options that this one was given.

Runs in the user's process.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsgigroups.cli.main import Globals


def next_command(
    options: Globals,
    verb: str,
    files: Sequence[Path] = (),
    profiles: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> str:
    """Return `wsgigroups [--run-dir DIR …] VERB [FLAG…] [--profile NAME …] [FILE…]`, quoted; "" for standard input.

    Directories that come from the environment are left out: the next command has the same ones.
    """
    if any(str(file) == "-" for file in files):
        return ""  # it was read, and is not there a second time
    words = ["wsgigroups"]
    for name, given in (
        ("run-dir", options.named_run_dir),
        ("state-dir", options.named_state_dir),
        ("log-dir", options.named_log_dir),
    ):
        inherited = os.environ.get(f"WSGIGROUPS_{name.replace('-', '_').upper()}")
        if given is not None and (not inherited or os.path.abspath(inherited) != str(given)):
            words += [f"--{name}", str(given)]
    words += [verb, *flags]
    for profile in profiles:
        words += ["--profile", profile]
    return shlex.join([*words, *map(str, files)])
