"""How the first process of a container is started so that a stop in its first moment is not lost. Pure.

The kernel keeps a signal from process 1 that has no handler yet (pid_namespaces(7)); one that is blocked waits.
"""

from __future__ import annotations

_WAITS = ("env", "--block-signal=TERM")  # https://www.gnu.org/software/coreutils/manual/html_node/env-invocation.html


def waiting(image: str) -> list[str]:
    """Return what goes before the command in an image, or in one made from it: nothing with Alpine's env."""
    return [] if "alpine" in image else [*_WAITS]
