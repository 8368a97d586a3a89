"""The spawner's command line, read without argparse, whose 600 KiB every daemon would carry.

Pure. Must not touch the descriptors it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple


class UsageError(Exception):
    """The command line is not one of ours."""


@dataclass(frozen=True)
class Options:
    """What the manager told a spawner at its start."""

    listen_fd: int  # bound and listening UNIX stream socket
    key: str  # names the spawner in the run directory, its title and its log lines
    library_directories: Tuple[str, ...] = ()  # where setproctitle may be found
    ready_fd: int = -1  # gets "ready\n" and is closed; -1: nobody waits
    descriptor_limit: int = 0  # soft RLIMIT_NOFILE of daemons; 0: what the spawner was started with


def parse(arguments: Sequence[str]) -> Options:
    """Read `--name value` pairs. Raises UsageError."""
    listen_fd = ready_fd = -1
    descriptor_limit = 0
    key = ""
    directories: List[str] = []
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        if not rest:
            raise UsageError("cannot read %s: it needs a value" % name)
        value = rest.pop(0)
        if name == "--listen-fd":
            listen_fd = number(name, value)
        elif name == "--ready-fd":
            ready_fd = number(name, value)
        elif name == "--descriptor-limit":
            descriptor_limit = number(name, value)
        elif name == "--key":
            key = value
        elif name == "--library-dir":
            directories.append(value)
        else:
            raise UsageError("cannot read %s: there is no such option" % name)
    if listen_fd < 0:
        raise UsageError("cannot start without --listen-fd")
    if not key:
        raise UsageError("cannot start without --key")
    return Options(listen_fd, key, tuple(directories), ready_fd, descriptor_limit)


def number(name: str, value: str) -> int:
    """Return a number that is not negative. Raises UsageError."""
    if not value.isdigit():
        raise UsageError("cannot read %s %r: it must be a number" % (name, value))
    return int(value)
