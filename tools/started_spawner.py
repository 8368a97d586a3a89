"""A spawner that tells with its processes which functions they call: in the place of runtime/spawner/__main__.py.

Started by the manager of `python -m tools.started` with a bare interpreter (-I -S), by a link in a directory. There
each name is added to the file `names`, once.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

_OWN = "wsgigroups_runtime"
_MAIN = Path(__file__).resolve().parent.parent / "wsgigroups" / "runtime" / "spawner" / "__main__.py"
_file = str(Path(__file__).parent / "names")
_seen: set[str] = set()
_fork, _open, _write, _close = os.fork, os.open, os.write, os.close


def _fork_and_tell() -> int:
    """Tell of everything in both of them from now on: what the spawner calls for each fork is told with the second."""
    pid = _fork()
    threading.setprofile(_tell)
    sys.setprofile(_tell)
    return pid


def _tell(frame: FrameType, event: str, _argument: Any) -> None:
    if event != "call":
        return
    module = str(frame.f_globals.get("__name__", ""))
    name = getattr(frame.f_code, "co_qualname", "").partition(".<locals>")[0]
    if name.startswith("<") or module.startswith("__"):
        return
    if module == _OWN or module.startswith(_OWN + "."):
        module = module[len(_OWN) :] or "."
    line = f"{module}:{name}\n"
    if line not in _seen:
        _seen.add(line)
        fd = _open(_file, os.O_WRONLY | os.O_APPEND)
        _write(fd, line.encode())
        _close(fd)


if __name__ == "__main__":
    os.fork = _fork_and_tell
    sys.argv[0] = str(_MAIN)
    runpy.run_path(str(_MAIN), run_name="__main__")
