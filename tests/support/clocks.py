"""A manager whose wall clock, and that of its spawners and daemons, a test sets while they run.

A library of thirty lines stands between them and the C library, and adds what a shared page says. libfaketime would
take its settings from the environment, which spawners and daemons do not inherit. CLOCK_MONOTONIC stays as it is, which
is what the kernel does when somebody sets the clock (clock_gettime(2)).
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import frozen
from support.manager import ManagerUnderTest

from wsgigroups.targets.interpreters import RUNTIME

_SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *ahead_s;

__attribute__((constructor)) static void find(void) {
    const char *path = getenv("CLOCK_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (page != MAP_FAILED) ahead_s = page;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, id, now);
    if (!result && ahead_s && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead_s;
    return result;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
_SPAWNER = """
import os, sys
os.execve(sys.executable, [sys.executable, "-I", "-S", {bootstrap!r}, *sys.argv[1:]], {{**os.environ, **{preload!r}}})
"""


class Clocked(ManagerUnderTest):
    """What it starts has the clock."""

    def command(self, *arguments: str) -> list[str]:
        """The command line; of a manager, one whose spawners begin with the clock."""
        command = super().command(*arguments)
        return frozen.with_runtime(command, self.base / "clocked.py") if arguments[:1] == ("run",) else command

    @contextmanager
    def clock(self) -> Iterator[Clock]:
        """The clock that it will have; its `environment` is for the manager."""
        source, library, page = (self.base / name for name in ("clock.c", "clock.so", "clock.page"))
        source.write_text(_SHIM)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        page.write_bytes(bytes(4096))
        page.chmod(0o644)
        preload = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(page)}
        bootstrap = str(RUNTIME / "spawner" / "__main__.py")
        (self.base / "clocked.py").write_text(_SPAWNER.format(bootstrap=bootstrap, preload=preload))
        clock = Clock(page, preload)
        try:
            yield clock
        finally:
            clock.close()


class Clock:
    """ahead_s: by how much it differs from the real one."""

    def __init__(self, page: Path, environment: dict[str, str]) -> None:
        self.environment = environment
        self.ahead_s = 0
        fd = os.open(page, os.O_RDWR)
        self._page = mmap.mmap(fd, 4096)
        os.close(fd)

    def set(self, ahead_s: int) -> None:
        """Set it for everybody, at once."""
        self.ahead_s = ahead_s
        self._page[:8] = struct.pack("=q", ahead_s)

    def close(self) -> None:
        """Let go of the page; it stays as it is."""
        self._page.close()
