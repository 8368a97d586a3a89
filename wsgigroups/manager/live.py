"""Live options on running processes: messages to the daemon, priorities and limits set from outside.

Runs in the manager's only thread.
"""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from wsgigroups.runtime.wire import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.processes import Process
    from wsgigroups.plan.desired import GroupTarget, ListenerTarget

_LEAVING = ("shutdown_timeout_s", "graceful_timeout_s", "eviction_timeout_s", "script_user", "script_group")
_LIMIT = {"DATA": resource.RLIMIT_DATA, "AS": resource.RLIMIT_AS}
# Without a value these are what the process has inherited.
_INHERITED = {name: getattr(resource, f"RLIMIT_{name}") for name in ("CORE", "NPROC", "NOFILE", "FSIZE")}


def tune(process: Process, target: GroupTarget, log: Callable[[str, str], None]) -> None:
    """Push what may change while the process runs. A limit that cannot be lowered is said, not fatal."""
    serving = dict(target.spec["serving"])
    for fixed in ("threads", "multiprocess", "run_once", "stack_size_bytes"):
        serving.pop(fixed, None)
    title = target.spec["title"] or f"wsgigroups: {target.name}/{process.info['slot']}"
    leaving = {name: target.spec[name] for name in _LEAVING}
    process.send(messages.Tune(process.life, serving, title, leaving))
    if process.pid <= 0:
        return
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    changes: list[tuple[str, Callable[[], None]]] = [
        ("cpu-priority", lambda: _set_priority(process.pid, int(target.spec["cpu_priority"])))
    ]
    inherited = {name: number for name, number in _INHERITED.items() if name in target.spec["rlimits"]}
    for name, number in {**_LIMIT, **inherited}.items():
        soft, hard = target.spec["rlimits"].get(name, unlimited)
        changes.append((f"RLIMIT_{name}", partial(_set_limit, process.pid, number, (int(soft), int(hard)))))
    for what, change in changes:  # one that is refused must not keep the others back
        try:
            change()
        except (OSError, ValueError) as error:
            log("warning", f"{target.name} life={process.life}: cannot change a running process: {what}: {error}")


def _set_priority(pid: int, priority: int) -> None:
    """Set the nice value of every thread: on Linux it belongs to the thread (setpriority(2))."""
    present = os.getpriority(os.PRIO_PROCESS, pid)
    if present == priority:
        return
    if priority == 0 and present == os.getpriority(os.PRIO_PROCESS, 0) and os.geteuid() != 0:
        return  # nobody asked for more than the default, and an ordinary user cannot leave the manager's own
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, int(thread), priority)


def _set_limit(pid: int, number: int, wanted: tuple[int, int]) -> None:
    if resource.prlimit(pid, number) != wanted:
        resource.prlimit(pid, number, wanted)


def listener_to_json(target: ListenerTarget) -> dict[str, Any]:
    """Return plain data for a spawner to keep."""
    return asdict(target)
