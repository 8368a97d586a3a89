"""Live options on running processes: messages to the daemon, priorities and limits set from outside.

Runs in the manager's only thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.specs import serving_of, title_of
from wsgigroups.runtime.wire import board, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.supervision.logs import Logs
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.desired import GroupTarget

_FIXED = ("threads", "multiprocess", "run_once", "stack_size_bytes")  # of Serving, for as long as a process lives
_LEAVING = ("shutdown_timeout_s", "graceful_timeout_s", "eviction_timeout_s", "script_user", "script_group", "reload")
TAKE_OVER_S = 5.0  # for a process to go by what it was told; one that does not is followed
LOOK_S = 0.01
_TITLE = {
    resource.RLIMIT_DATA: "Max data size",
    resource.RLIMIT_AS: "Max address space",
    resource.RLIMIT_CPU: "Max cpu time",
    resource.RLIMIT_CORE: "Max core file size",
    resource.RLIMIT_NPROC: "Max processes",
    resource.RLIMIT_NOFILE: "Max open files",
    resource.RLIMIT_FSIZE: "Max file size",
}
# Without a value these are what the process has inherited.
_INHERITED = {name: getattr(resource, f"RLIMIT_{name}") for name in ("CORE", "NPROC", "NOFILE", "FSIZE")}


def tune(process: Process, target: GroupTarget, logs: Logs) -> str:
    """Push what may change while the process runs; return what was refused, and why, or ""."""
    spec, slot = target.spec, int(process.info["slot"])
    serving = {key: value for key, value in asdict(serving_of(target, process.life)).items() if key not in _FIXED}
    leaving = {name: getattr(spec, name) for name in _LEAVING}
    refused = []
    if process.pid <= 0:
        return ""  # its spec comes first; what has changed since follows when it is ready
    given = process.given
    if given is None or (given.log_path, given.log) != (target.log_path, target.log):
        try:
            logs.retarget(process, target)
        except OSError as error:
            refused.append(f"error-log: {error.strerror}")
    # a gateway is told its routes behind this, and has one number on its board: theirs
    process.told = 0 if target.routing else _number_of(serving, title_of(target, slot), leaving)
    process.send(messages.Tune(process.life, serving, title_of(target, slot), leaving, process.told))
    process.given = target
    changes: list[tuple[str, Callable[[], None]]] = [
        ("cpu-priority", lambda: set_priority(process.pid, spec.cpu_priority)),
    ]
    for name, number in (("DATA", resource.RLIMIT_DATA), ("AS", resource.RLIMIT_AS)):
        # a limit that nobody sets is the one that the process began with, and that was the manager's
        wanted = spec.rlimits.get(name) or resource.getrlimit(number)
        changes.append((f"RLIMIT_{name}", partial(_set_limit, process.pid, number, wanted)))
    if "CPU" in spec.rlimits:  # its hard limit has room for the windows in which a process leaves
        changes.append(("RLIMIT_CPU", partial(_set_limit, process.pid, resource.RLIMIT_CPU, spec.rlimits["CPU"])))
    changes += [
        (f"RLIMIT_{name}", partial(_set_limit, process.pid, number, spec.rlimits[name]))
        for name, number in _INHERITED.items()
        if name in spec.rlimits
    ]
    for what, change in changes:  # one that is refused must not keep the others back
        try:
            change()
        except (ProcessLookupError, FileNotFoundError):
            return ""  # it has ended
        except (OSError, ValueError) as error:
            refused.append(f"{what}: {getattr(error, 'strerror', None) or error}")
    return f"cannot change a running process: {'; '.join(refused)}" if refused else ""


def _number_of(*parts: object) -> int:
    """A number for what is told: 2 … 2^48, so that it is neither of the numbers that a board begins with."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=6).digest()
    return 2 + int.from_bytes(digest, "big")


def taken_over(process: Process) -> bool:
    """Whether a process goes by what it was told last, or need not: it is on its way up or out, or cannot say."""
    snapshot = None if process.exited else process.snapshot()
    if snapshot is None or snapshot["state"] != board.STATE["ready"]:
        return True  # on its way up it is told again when it is ready
    return snapshot["tuned"] in (process.told, 0)


def set_priority(pid: int, priority: int) -> None:
    """Set the nice value of every thread: on Linux it belongs to the thread (setpriority(2))."""
    present = os.getpriority(os.PRIO_PROCESS, pid)
    if present == priority:
        return
    if priority == 0 and present == os.getpriority(os.PRIO_PROCESS, 0) and os.geteuid() != 0:
        return  # nobody asked for more than the default, and an ordinary user cannot leave the manager's own
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, int(thread), priority)
    found = os.getpriority(os.PRIO_PROCESS, pid)
    if found != max(-20, min(priority, 19)):  # beyond that the kernel takes the nearest (setpriority(2))
        raise OSError(0, f"it is {found} still")


def _set_limit(pid: int, number: int, wanted: tuple[int, int]) -> None:
    # not prlimit(2): without CAP_SYS_RESOURCE, as in many containers, it does not even tell those of another user
    if _limit(pid, number) != wanted:
        resource.prlimit(pid, number, wanted)
        found = _limit(pid, number)
        if found != wanted:
            raise OSError(0, f"it is {found[0]} still")


def _limit(pid: int, number: int) -> tuple[int, int]:
    """Return a limit of another process, soft and hard (/proc/PID/limits, proc(5)). Raises OSError, ValueError."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        for line in file:
            if line.startswith(_TITLE[number]):
                soft, hard = line[len(_TITLE[number]) :].split()[:2]
                return _number(soft), _number(hard)
    raise ValueError(f"/proc/{pid}/limits has no {_TITLE[number]}")


def _number(text: str) -> int:
    return resource.RLIM_INFINITY if text == "unlimited" else int(text)
