"""From a fresh interpreter to a running spawner, and from a forked child to a daemon.

Runs in the spawner's main thread; `become` in the child, right after the fork. The child must never come back into
the spawner's loop.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import traceback
from typing import NoReturn, Sequence

from .. import kernel
from ..daemon import signals
from ..daemon.main import run as run_daemon
from ..log import never_blocking
from ..wire import exits, identity
from . import gathering, warm
from .arguments import Options, UsageError, parse
from .loop import Spawner

_USAGE = 64  # EX_USAGE of sysexits.h
_IGNORED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
)
_KEPT_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # as CPython sets them at its own start


def main(arguments: Sequence[str]) -> int:
    """Start and serve; returns the exit code."""
    try:
        options = parse(arguments)
    except UsageError as error:
        sys.stderr.write("wsgigroups spawner: %s\n" % error)
        return _USAGE
    log = never_blocking(2, lambda: "spawner %s pid=%d" % (options.key, os.getpid()))
    _own_signals()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if options.descriptor_limit:
        soft = options.descriptor_limit if hard == resource.RLIM_INFINITY else min(options.descriptor_limit, hard)
    _raise_descriptor_limit(hard)
    listener = socket.socket(fileno=options.listen_fd)
    listener.set_inheritable(False)
    warm.preload(options.library_directories, log)
    warm.set_title("wsgigroups: spawner %s" % options.key)
    identity.own()
    with contextlib.suppress(OSError):  # daemons leave it again, unless their user has no quota for keyrings left
        kernel.join_new_session_keyring()
    spawner = Spawner(options.key, listener, _become, log, (soft, hard))
    gathering.gather(gathering.started())
    gc.collect()
    if sys.version_info < (3, 12):  # it counts references to names, which are immortal since
        sys._clear_type_cache()
    gc.freeze()  # what exists now stays out of the collector's way, so that its pages stay shared
    gc.enable()
    _announce(options)
    return spawner.run()


def _own_signals() -> None:
    """Default dispositions, whatever the manager or its shell ignored, and then those of a spawner."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, *_KEPT_IGNORED}:
        signal.signal(number, signal.SIG_DFL)
    for number in _KEPT_IGNORED:
        signal.signal(number, signal.SIG_IGN)
    for number in _IGNORED:  # a terminal's Ctrl-C or a stray kill must not take a whole interpreter's daemons away
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _raise_descriptor_limit(hard: int) -> None:
    """Three descriptors are kept for each daemon, more than 1024 is quickly reached."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # a container may forbid it; then fewer daemons fit
        return


def _announce(options: Options) -> None:
    if options.ready_fd < 0:
        return
    with contextlib.suppress(OSError):  # nobody waits any more; the socket is what counts
        os.write(options.ready_fd, b"ready\n")
    os.close(options.ready_fd)


def _become(channel: int, reports: int, board: int, *mold_fds: int) -> NoReturn:
    """Forget the spawner and run a daemon on these descriptors; ends the process whatever happens.

    mold_fds: of one that founds a mold, where that is asked and where it answers.

    Objects of the spawner stay referenced by the frames below, so that none of their descriptors is closed a second
    time by the garbage collector after its number has been used again.
    """
    code = exits.STEPS["signals"]
    try:
        _forget_signals()
        code = exits.STEPS["descriptors"]
        kernel.close_all_except({0, 1, 2, channel, reports, board, *mold_fds})
        code = exits.STEPS["spec"]
        code = run_daemon(channel, reports, board, *mold_fds)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def _forget_signals() -> None:
    """Default dispositions, no wake-up descriptor, nothing blocked: what a fresh process has.

    Only what the spawner itself has changed: a look at all signals would cost each daemon a hundred pages.
    """
    signal.set_wakeup_fd(-1)
    for number in (*_IGNORED, signal.SIGCHLD):
        kernel.signals.signal(number, signals.ignore if number in signals.IGNORED else kernel.signals.SIG_DFL)
    kernel.signals.pthread_sigmask(signal.SIG_SETMASK, ())
