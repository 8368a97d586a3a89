"""Which runtime this is: where it was loaded from, and a digest of all that it consists of.

A spawner forks the runtime that it has loaded, whatever lies on the disk since: so a manager of another version knows
that this is not its own. Read once in a process; hashed without OpenSSL, which every daemon would carry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from ..originals import os

try:
    from _blake2 import blake2b
except ImportError:  # an interpreter that was built without it
    from hashlib import blake2b

_DIGEST_BYTES = 16
_KINDS = (".py", ".so")
_own: "Optional[Runtime]" = None


@dataclass(frozen=True)
class Runtime:
    """path: the directory of the package; digest: hexadecimal, empty where a file cannot be read."""

    path: str
    digest: str


def own() -> Runtime:
    """Return the runtime of this process, as it was when this was first called."""
    global _own  # noqa: PLW0603 - what was loaded does not change, what lies there may
    if _own is None:
        path = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        try:
            _own = Runtime(path, digest_of(path))
        except OSError:
            _own = Runtime(path, "")
    return _own


def digest_of(directory: str) -> str:
    """Return the digest of a runtime: names and contents of its modules. Raises OSError."""
    found = blake2b(digest_size=_DIGEST_BYTES)
    for name in sorted(_files(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            content = file.read()
        found.update(b"%s\0%d\0" % (os.fsencode(name), len(content)))
        found.update(content)
    return found.hexdigest()


def _files(directory: str) -> List[str]:
    return [
        os.path.relpath(os.path.join(where, name), directory)
        for where, _directories, names in os.walk(directory)
        for name in names
        if name.endswith(_KINDS)
    ]
