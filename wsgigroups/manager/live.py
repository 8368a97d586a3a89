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

from wsgigroups.manager.specs import serving_of, title_of
from wsgigroups.runtime.wire import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.processes import Process
    from wsgigroups.plan.desired import GroupTarget, ListenerTarget

_FIXED = ("threads", "multiprocess", "run_once", "stack_size_bytes")  # of Serving, for as long as a process lives
_LEAVING = ("shutdown_timeout_s", "graceful_timeout_s", "eviction_timeout_s", "script_user", "script_group")
_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def tune(process: Process, target: GroupTarget, log: Callable[[str, str], None]) -> None:
    """Push what may change while the process runs. A limit that cannot be lowered is said, not fatal."""
    spec, slot = target.spec, int(process.info["slot"])
    serving = {key: value for key, value in asdict(serving_of(target, process.life)).items() if key not in _FIXED}
    leaving = {name: getattr(spec, name) for name in _LEAVING}
    process.send(messages.Tune(process.life, serving, title_of(target, slot), leaving))
    if process.pid <= 0:
        return  # what is set from outside follows when it is ready
    process.given = target
    changes: list[tuple[str, Callable[[], None]]] = [
        ("cpu-priority", lambda: _set_priority(process.pid, spec.cpu_priority)),
        ("RLIMIT_DATA", partial(_set_limit, process.pid, resource.RLIMIT_DATA, spec.rlimits.get("DATA", _UNLIMITED))),
        ("RLIMIT_AS", partial(_set_limit, process.pid, resource.RLIMIT_AS, spec.rlimits.get("AS", _UNLIMITED))),
    ]
    if "CPU" in spec.rlimits:  # its hard limit has room for the windows in which a process leaves
        changes.append(("RLIMIT_CPU", partial(_set_limit, process.pid, resource.RLIMIT_CPU, spec.rlimits["CPU"])))
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
