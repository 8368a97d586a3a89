"""Programs of the distribution, where distributions put them. Looks at the disk, and executes nothing."""

from __future__ import annotations

import shutil

_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"  # not what PATH says, which is that of whoever asks


def find_nginx() -> str:
    """Return the path of nginx, "" where there is none."""
    return shutil.which("nginx", path=_PLACES) or ""
