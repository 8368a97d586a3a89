"""What an exit code says where a process said nothing itself, its descriptors being closed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.exits import STEPS

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Exit

# what failed, by step: docs/exit-codes.md
WORDS = {
    "spec": "its channel to the manager was closed",
    "session": "a session of its own",
    "signals": "the default signal handlers",
    "limits": "resource limits",
    "priority": "cpu-priority",
    "descriptors": "closing what it must not inherit, or its log",
    "chroot": "chroot",
    "capabilities": "dropping capabilities",
    "groups": "supplementary groups",
    "group": "group",
    "user": "user",
    "proof": "the proof that its privileges are dropped",
    "no-new-privileges": "forbidding new privileges",
    "home": "home",
    "environment": "lang, locale or the environment",
    "interpreter": "python-home, python-path or python-eggs",
    "import": "loading the application",
    "serving": "its threads, listeners or other descriptors cannot be used",
    "keyring": "leaving the session keyring",
    "mounts": "mounts of its own",
    "landlock": "rules for files",
    "seccomp": "filters of system calls",
    "health": "health-path",
}
_BY_CODE = {code: step for step, code in STEPS.items()}


def of_step(status: Exit) -> str:
    """What a process fails at that leaves with this code, in parentheses; "" of any other.

    An application may use the same number, so this explains and decides nothing.
    """
    step = _BY_CODE.get(status.exit_code)
    return f' (step "{step}": {WORDS[step]})' if step else ""
