"""Becomes a user's spawner: gives up everything first, and only then starts an interpreter that this user may change.

Runs in the manager's own interpreter, in a process of its own. Nothing of the other interpreter has been read when the
privileges are gone, and nothing here comes back from its execve.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from dataclasses import dataclass
from typing import NoReturn, Sequence, Tuple

from .. import kernel
from ..daemon import privileges
from ..daemon.failure import StepError, step
from ..daemon.resources import set_oom_score
from ..log import escaped
from ..wire.spec import Identity
from .arguments import UsageError, number

_USAGE = 64  # EX_USAGE of sysexits.h
_BACKLOG = 4


@dataclass(frozen=True)
class Launch:
    """What the manager asks for."""

    identity: Identity
    listen_fd: int  # bound and not listening: whoever calls listen(2) is whom the manager finds there (SO_PEERCRED)
    kept: Tuple[int, ...]  # further descriptors of the program
    cgroup_fd: int  # its cgroup.procs, open for writing; -1: it has no cgroup of its own
    program: Tuple[str, ...]


def parse(arguments: Sequence[str]) -> Launch:
    """Read `UID GID GROUP,… LISTEN_FD KEPT_FD,… CGROUP_FD PROGRAM ARGUMENT …`. Raises UsageError.

    CGROUP_FD may be empty.
    """
    if len(arguments) < 7:
        raise UsageError("cannot launch: %d words are too few" % len(arguments))
    uid, gid, groups, listen_fd, kept, entrance, *program = arguments
    identity = Identity(number("uid", uid), number("gid", gid), _numbers("groups", groups))
    cgroup_fd = number("the cgroup", entrance) if entrance else -1
    return Launch(identity, number("the listener", listen_fd), _numbers("descriptors", kept), cgroup_fd, tuple(program))


def _numbers(name: str, text: str) -> Tuple[int, ...]:
    return tuple(number(name, item) for item in text.split(",") if item)


def main(arguments: Sequence[str]) -> int:
    """Become that user and that program; comes back only when it cannot, with an exit code."""
    try:
        launch = parse(arguments)
    except UsageError as error:
        sys.stderr.write("wsgigroups launcher: %s\n" % error)
        return _USAGE
    try:
        _drop(launch)
        _execute(launch)
    except StepError as failure:
        sys.stderr.write("wsgigroups launcher pid=%d: %s\n" % (os.getpid(), escaped(str(failure))))
        sys.stderr.flush()
        return failure.exit_code


def _drop(launch: Launch) -> None:
    """The order is that of a daemon, and so is the proof."""
    if os.getsid(0) != os.getpid():
        with step("session", "start a session"):
            os.setsid()
    privileges.refuse_root(launch.identity)
    if launch.cgroup_fd >= 0:
        with step("limits", "enter the cgroup of the spawner"):
            os.write(launch.cgroup_fd, b"0")
    with step("limits", "set the limit CORE to 0"):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    set_oom_score(0)  # the manager's own is for the manager alone
    with step("descriptors", "close what is not for the spawner"):
        kernel.close_all_except({0, 1, 2, launch.listen_fd, *launch.kept})
    witness = privileges.Witness()
    was = os.geteuid(), os.getegid()
    privileges.leave_keyring()
    privileges.become(launch.identity)
    privileges.own_keyring()
    with step("proof", "prove that the privileges are gone"):
        privileges.prove(launch.identity, was, witness)
    privileges.forbid_new_privileges(witness)
    witness.close()


def _execute(launch: Launch) -> NoReturn:
    with step("interpreter", "listen for the manager"):
        listener = socket.socket(fileno=launch.listen_fd)
        listener.listen(_BACKLOG)
        os.set_inheritable(listener.detach(), True)
    for fd in launch.kept:
        os.set_inheritable(fd, True)
    with step("interpreter", "start %s" % launch.program[0]):
        os.execve(launch.program[0], launch.program, dict(os.environ))  # noqa: S606 - that is what was asked for
    raise AssertionError("execve came back")
