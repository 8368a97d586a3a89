"""A mold: a process that has loaded the application and does nothing but fork (preload = "app").

Its founder is the first daemon of its kind, which has become the group's user and loaded the application as any other.
Before that one serves, it forks the mold, twice, so that the mold is the spawner's child (PR_SET_CHILD_SUBREAPER of
prctl(2)) and does not end with its founder. What a mold forks comes back from `leave_mold` with a life of its own, and
is the spawner's child as well. Runs in the main thread, the only one.
"""

from __future__ import annotations

import gc
import sys
from typing import FrozenSet, List, Sequence

from ..log import LogLines
from ..originals import os, socket
from ..wire import messages
from ..wire.exits import STEPS
from ..wire.frames import Channel, FrameError
from ..wire.lines import encode_line
from . import leftovers
from .failure import StepError, step
from .given import Given
from .title import set_title

_PID_BYTES = 32


def leave_mold(given: Given, lines: LogLines, mold_fds: Sequence[int], before: FrozenSet[int]) -> bool:
    """Leave a mold behind; return whether this is a process that it has forked, which then has its own `given`.

    mold_fds: where the mold is asked, and where it answers; closed when this returns. before: what was open before the
    application was loaded. Raises StepError("import") for an application of which no mold can be made.
    """
    left = leftovers.found(before)
    if left:
        what = "cannot preload the application: after the import " + ", and ".join(left)
        raise StepError("import", what + '; write preload = "off", or start that in the first request')
    with step("import", "make a mold"):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # else what it holds is written by each process
        gc.collect()
        gc.freeze()  # a collection would write to pages that are shared
        is_founder = _fork_apart() > 0
    if not is_founder:
        try:
            _be_mold(given, lines, *mold_fds)
        except BaseException:  # noqa: BLE001 - whatever it is, no second daemon of its founder's life may come of it
            os._exit(STEPS["spec"])
    for fd in mold_fds:
        os.close(fd)
    return not is_founder


def _fork_apart() -> int:
    """Fork a process that is the spawner's child: return its pid, in itself 0. Raises OSError, ValueError."""
    said, says = os.pipe2(os.O_CLOEXEC)
    waits, goes = os.pipe2(os.O_CLOEXEC)
    between = os.fork()
    if between == 0:
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid:
                os.write(says, b"%d" % pid)
                os._exit(0)
        for fd in (said, says, goes):
            os.close(fd)
        os.read(waits, 1)  # until who is between is gone
        os.close(waits)
        return 0
    os.close(says)
    os.close(waits)
    try:
        pid = int(os.read(said, _PID_BYTES))
    finally:
        os.close(said)
        os.waitpid(between, 0)
        os.close(goes)
    if pid < 0:
        raise OSError("no process can be forked")
    return pid


def _be_mold(given: Given, lines: LogLines, requests_fd: int, answers_fd: int) -> None:
    """Fork whenever the spawner asks for it. Returns in what was forked; the mold itself ends with the spawner."""
    os.setsid()  # what is left of its founder's session is ended with that one
    given.let_go(lines)
    mold = str(given.spec.life)
    set_title("wsgigroups: mold of %s" % given.spec.group)
    channel = Channel(socket.socket(fileno=requests_fd))
    _say(answers_fd, messages.Molded(mold, os.getpid()))
    while True:
        try:
            body, fds = channel.receive()
        except (EOFError, OSError, FrameError):
            os._exit(0)
        if _forked(body, fds, answers_fd):
            channel.sock.detach()  # the descriptor is closed by its number; a read brings one message with descriptors
            given.take(*fds)
            return


def _forked(body: "dict[str, object]", fds: List[int], answers_fd: int) -> bool:
    """Fork as a message says, and tell the spawner; return whether this is what was forked."""
    request = messages.decode(body)
    if not isinstance(request, messages.Fork) or len(fds) != 3:
        os._exit(STEPS["spec"])
    try:
        pid = _fork_apart()
    except (OSError, ValueError) as error:
        _say(answers_fd, messages.Refused(request.life, "its mold cannot fork: %s" % error))
        pid = -1
    if pid > 0:
        _say(answers_fd, messages.Spawned(request.life, pid))
    if pid:
        for fd in fds:
            os.close(fd)
    return pid == 0


def _say(fd: int, message: messages.Message) -> None:
    os.write(fd, encode_line(message))
