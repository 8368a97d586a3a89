"""Where a manager keeps its things when nobody says so. Never in a directory that everybody can write.

Runs in the user's process, when a command wants to know.
"""

from __future__ import annotations

import os
from pathlib import Path

from wsgigroups.errors import WsgigroupsError

ROOT_LOG_DIR = "/var/log/wsgigroups"


def default_run_dir() -> Path:
    """`/run/wsgigroups` as root, else `$XDG_RUNTIME_DIR/wsgigroups`, else `run` below the state directory."""
    if os.geteuid() == 0:
        return Path("/run/wsgigroups")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) / "wsgigroups" if os.path.isabs(runtime) else default_state_dir() / "run"


def default_state_dir() -> Path:
    """`/var/lib/wsgigroups` as root, else below `$XDG_STATE_HOME` (`~/.local/state`). Raises WsgigroupsError."""
    if os.geteuid() == 0:
        return Path("/var/lib/wsgigroups")
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # the specification has relative ones ignored
        home = os.path.expanduser("~")  # "~" itself for a user without an entry, as in containers
        if not os.path.isabs(home):
            raise WsgigroupsError(
                f"cannot tell where uid {os.geteuid()} keeps its files: it has no home directory",
                hint="set HOME, or name directories: --run-dir, --state-dir and --log-dir",
            )
        state = os.path.join(home, ".local", "state")
    return Path(state) / "wsgigroups"


def default_log_dir() -> Path:
    """`/var/log/wsgigroups` as root, else `log` below the state directory."""
    return Path(ROOT_LOG_DIR) if os.geteuid() == 0 else default_state_dir() / "log"


def absolute(path: Path) -> Path:
    """The whole path. Raises WsgigroupsError where the working directory was removed."""
    try:
        return path.absolute()
    except OSError:
        hint = "change to a directory that exists, or give its whole path"
        raise WsgigroupsError(f"cannot find {path}: the working directory was removed", hint=hint) from None
