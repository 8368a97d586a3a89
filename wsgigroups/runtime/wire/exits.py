"""Exit codes of a daemon that fails on its way up: one per step, so that a death explains itself.

Shared by daemon and manager. An exit code alone commands nothing: an application may exit with any of them. The
numbers leave 0-199 to applications, as systemd does with 200-242 for its own steps (systemd.exec(5)).
"""

from __future__ import annotations

from typing import Dict

STEPS: Dict[str, int] = {
    "spec": 200,  # the channel closed, or what came was no spec
    "session": 201,  # setsid
    "signals": 202,
    "limits": 203,  # setrlimit
    "priority": 204,  # setpriority, oom_score_adj
    "descriptors": 205,  # close_range, log
    "chroot": 206,
    "capabilities": 207,  # bounding set
    "groups": 208,  # setgroups
    "group": 209,  # setresgid
    "user": 210,  # setresuid
    "proof": 211,  # the drop could be undone, or ids are not what was asked for
    "no-new-privileges": 212,
    "home": 213,  # chdir
    "environment": 214,
    "interpreter": 215,  # python-home, python-path, python-eggs
    "import": 216,  # the application raised, exited or is missing while it was loaded
    "serving": 217,  # threads or listeners could not be set up; or, later, the request path broke (daemon/lifetime.py)
    "keyring": 218,  # keyctl: the session keyring of whoever started the manager
    "mounts": 219,  # confinement: a mount namespace and what is mounted in it
    "landlock": 220,  # confinement: rules for files
    "seccomp": 221,  # confinement: filters of system calls
    "health": 222,  # the application did not answer health-path as it should
}
