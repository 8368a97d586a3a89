"""Becomes a helper: drops everything, then looks at files or becomes another program. Run by path, never imported.

The manager's own interpreter runs it with -I -S in a session of its own, so that whoever it becomes has no terminal.
Its arguments: uid, gid, further groups with commas ("-" for all three: stay who we are), and then "read" PATH BYTES,
"match" PATTERN NUMBER, "scan" or "execute" PROGRAM ARGUMENT…. Standard library, `scanner` and `runtime.kernel` only.
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import resource
import stat
import sys
from pathlib import Path

# nothing is installed where -S was given
sys.path.append(str(Path(__file__).parents[2]))

from wsgigroups.runtime import kernel
from wsgigroups.trust import scanner

# exit codes of "read", as `helpers` knows them
NOT_A_FILE, TOO_LARGE, CANNOT_READ = 65, 66, 67

_MEMORY_BYTES = 1 << 30
_WRITTEN_BYTES = 16 * 1024 * 1024


def drop(uid: str, gid: str, groups: str) -> None:
    """Give up every privilege there is, for good."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit, value in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_FSIZE, _WRITTEN_BYTES)):
        hard = resource.getrlimit(limit)[1]
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (bounded, bounded))
    if uid != "-":
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("0")  # the manager's own is for the manager alone
        except OSError:
            pass  # a container may forbid it; then the manager has none of its own
        for capability in kernel.bounding_set():
            kernel.drop_from_bounding_set(capability)
        os.setgroups([int(text) for text in groups.split(",") if text])
        os.setresgid(int(gid), int(gid), int(gid))
        os.setresuid(int(uid), int(uid), int(uid))
    kernel.clear_capabilities()
    kernel.set_no_new_privileges()


def read(path: str, maximum_bytes: int) -> int:
    """Write a regular file to standard output. A FIFO or a device is not opened for its content, nor waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return NOT_A_FILE
        with os.fdopen(fd, "rb") as file:
            data = file.read(maximum_bytes + 1)
    except OSError:
        return CANNOT_READ
    if len(data) > maximum_bytes:
        return TOO_LARGE
    sys.stdout.buffer.write(data)
    return 0


def main(arguments: list[str]) -> int:
    """Drop, then do what was asked."""
    uid, gid, groups, what, *rest = arguments
    drop(uid, gid, groups)
    if what == "read":
        return read(rest[0], int(rest[1]))
    if what == "match":
        json.dump(sorted(itertools.islice(glob.iglob(rest[0]), int(rest[1]))), sys.stdout)
        return 0
    if what == "scan":
        json.dump(scanner.answer(json.load(sys.stdin)), sys.stdout)
        return 0
    os.execve(rest[0], rest, dict(os.environ))  # noqa: S606  (that is what was asked for)
    raise AssertionError("execve came back")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
