"""Managers with and without a cgroup v2 hierarchy that they can write: both as far as this machine lets root have them.

The hierarchy is mounted, or taken away, in a private mount namespace of the manager's; nothing else sees it.
"""

from __future__ import annotations

import subprocess
from functools import lru_cache

WAYS = ("cgroup", "session")
_ALONE = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c"]
_SCRIPTS = {
    "cgroup": 'grep -q " - cgroup2 " /proc/self/mountinfo && grep -q " rw.* - cgroup2 " /proc/self/mountinfo '
    '|| mount -t cgroup2 none /sys/fs/cgroup && exec "$@"',
    "session": 'umount --all --types cgroup2 && exec "$@"',
}


def under(way: str, command: list[str]) -> list[str]:
    """Return a command that runs another one where lives end in this way."""
    return [*_ALONE, _SCRIPTS[way], "sh", *command]


@lru_cache
def possible(way: str) -> bool:
    """Whether this machine lets us."""
    return subprocess.run(under(way, ["true"]), capture_output=True, check=False).returncode == 0
