"""A daemon's way up: every step in its order, each failure with its own exit code, then serving.

Runs in the forked child's main thread. Before the proof of the dropped privileges nothing of an application is read;
after it nothing here needs privileges. The order is argued in docs/architecture.md and checked step by step in tests.
"""

from __future__ import annotations

import faulthandler
import sys
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence, Tuple

from .. import signal_stack
from ..application import modules
from ..application.here import Here
from ..application.spans import spans
from ..counted import CountedLines
from ..log import Log, LogLines, escaped
from ..originals import os, socket
from ..server import Server
from ..wire import messages, origin
from ..wire.board import STATE, WORD
from ..wire.exits import STEPS
from ..wire.pulse import Pulse
from ..wire.spec import Identity, Spec
from . import applications, descriptors, handlers, health, interpreter, privileges, resources, signals, surroundings
from .confining import Confining
from .failure import StepError, step
from .given import Given
from .leftovers import open_descriptors
from .lifetime import Lifetime
from .loaded import LoadedApplications
from .mold import leave_mold
from .overdue import tells_where
from .reporter import SpecError
from .title import set_title


def run(channel_fd: int, reports_fd: int, board_fd: int, *mold_fds: int) -> int:
    """Become the daemon that the spec on the channel describes and serve until told to leave; the exit code.

    mold_fds: it leaves a mold, which is asked and answers there.
    """
    try:
        given = Given(channel_fd, reports_fd, board_fd)
    except (SpecError, ValueError, OSError) as error:
        sys.stderr.write("wsgigroups daemon pid=%d: %s\n" % (os.getpid(), escaped(str(error))))
        sys.stderr.flush()
        return STEPS["spec"]
    lines = LogLines(2, lambda: "%s/%d life=%d pid=%d" % (*_place(given.spec), os.getpid()))
    log = lines.log
    try:
        lifetime = _start(given, lines, mold_fds)
    except StepError as failure:
        spec = given.spec  # that of another life than at first, in what a mold has forked
        log("error", "%s\n%s" % (failure, failure.trace) if failure.trace else str(failure))
        limited = "DATA" in spec.rlimits or "AS" in spec.rlimits
        reason = "memory-limit" if limited and failure.wants_memory else ""
        given.reporter.send_failed(messages.Failed(spec.life, failure.step, str(failure), failure.trace, reason))
        return failure.exit_code
    return lifetime.serve()


def _place(spec: Spec) -> Tuple[str, int, int]:
    return spec.group, spec.slot, spec.life


def _start(given: Given, lines: LogLines, mold_fds: Sequence[int]) -> Lifetime:
    log, spec = lines.log, given.spec
    given.board.words[WORD["state"]] = STATE["starting"]
    given.open_log(lines)
    if spec.gateway:
        from . import gateway  # not in daemons of applications; nor later, since its root is empty
    with step("session", "confine the process"):
        confined = _confine(spec, [*given.kept(), *mold_fds], log)
    if spec.gateway:
        listener_fds, pulses = given.listener_fds, _pulses(given.pulse_fds)
        return gateway.start(spec, confined, listener_fds, pulses, given.reporter, given.board, lines)
    with step("interpreter", "prepare the interpreter"):
        _furnish(spec, lines)
    here = Here(spec, log)
    lines.request_id = here.request_id
    modules.install(here)
    handlers.restrict(spec.signals, log)
    given.lifetime = Lifetime(spec, given.reporter, given.board, here)
    loaded = LoadedApplications(given)
    before: FrozenSet[int] = open_descriptors() if mold_fds else frozenset()
    pid = os.getpid()
    with tells_where(given.reporter, spec.life):
        with step("import", "load the applications"):
            application = loaded.load(log)
        if os.getpid() != pid:
            os._exit(STEPS["import"])  # the application forked and came back: one process of the two is enough
        if spec.health is not None and not mold_fds:
            health.check(spec.health, spec.serving, application)
    if mold_fds:
        if leave_mold(given, lines, mold_fds, before):
            _begin_life(given, lines, here, loaded)
        spec = given.spec
        if spec.health is not None:
            with tells_where(given.reporter, spec.life):
                health.check(spec.health, spec.serving, application)
    server = _server(given, application, lines)
    if loaded.fresh.watches:
        server.hold_for_successor(loaded.fresh.outdated)
    here.attach(server)
    if spec.tracing == "opentelemetry":
        observer = spans(spec.group, spec.slot, log)
        if observer is not None:
            server.observe(observer)
    with step("serving", "start serving"):
        given.lifetime.start(server, loaded.rules, confined, loaded.files)
    return given.lifetime


def _begin_life(given: Given, lines: LogLines, here: Here, loaded: LoadedApplications) -> None:
    """Be the daemon of another life than that which the mold was made in: all else of it is inherited."""
    spec = given.spec
    given.board.words[WORD["state"]] = STATE["starting"]
    with step("session", "start a session"):
        os.setsid()
    given.open_log(lines)
    here.begin(spec)
    handlers.own()
    signals.ignore_again()
    loaded.go_by(spec, given.board)
    set_title(spec.title)
    given.lifetime = Lifetime(spec, given.reporter, given.board, here)


def _confine(spec: Spec, kept: List[int], log: Log) -> Dict[str, List[str]]:
    """Session, limits, descriptors, mounts, root directory, identity: everything that takes privileges.

    And what the process gives up after them; returns what became of each option for that.
    """
    with step("session", "start a session"):
        os.setsid()
    if os.getsid(0) != os.getpid():
        raise StepError("session", "cannot start a session: the process has none of its own")
    privileges.refuse_root(spec.identity)
    with step("limits", "mark the process as a daemon"):
        origin.mark()
    resources.set_limits(spec.rlimits)
    resources.set_cpu_priority(spec.cpu_priority, is_root=spec.identity is not None, log=log)
    resources.set_oom_score(spec.oom_score_adj)
    descriptors.keep_only(kept)
    was = os.geteuid(), os.getegid()
    identity = spec.identity
    if spec.became:  # proved at once, because mounts may take a user namespace, in which other numbers are seen
        _prove(identity, was)
        identity = None
    confining = Confining(spec, log)
    confining.prepare()
    witness = privileges.Witness()
    if spec.chroot is not None:
        privileges.enter_chroot(spec.chroot)
    privileges.leave_keyring()
    privileges.become(identity)
    privileges.own_keyring()
    with step("proof", "prove that the privileges are gone"):
        privileges.prove(identity, was, witness)
    privileges.forbid_new_privileges(witness)
    witness.close()
    confining.enforce()
    return confining.report


def _prove(identity: Optional[Identity], was: Tuple[int, int]) -> None:
    witness = privileges.Witness()
    with step("proof", "prove the identity that the interpreter was started with"):
        privileges.prove(identity, was, witness)
    witness.close()


def _furnish(spec: Spec, lines: LogLines) -> None:
    """What the application finds when it is imported."""
    surroundings.set_umask(spec.umask)
    surroundings.enter_home(spec.home)
    surroundings.replace_environment(spec, lines.log)
    with step("descriptors", "open the standard streams"):
        descriptors.reopen_streams(lines)
    faulthandler.enable(file=2, all_threads=True)
    signal_stack.make_room()
    interpreter.prepare(spec)
    set_title(spec.title)


def _server(given: Given, application: Callable[..., Any], lines: LogLines) -> Server:
    spec, pulses = given.spec, _pulses(given.pulse_fds)
    access_log = _access_log(given.access_fd, lines)
    with step("serving", "use the listeners %s" % ", ".join(spec.listen)):
        listeners = [socket.socket(fileno=fd) for fd in given.listener_fds]
        return Server(
            settings=spec.serving,
            listeners=listeners,
            pulses=pulses,
            application=application,
            board=given.board,
            log=lines.log,
            access_log=access_log,
            identity="%s/%d" % (spec.group, spec.slot),
            environ=_environ(spec),
        )


def _environ(spec: Spec) -> Dict[str, Any]:
    """What applications that were written for mod_wsgi find in each environ, as far as it is always the same."""
    found = modules.environ_constants()
    found["mod_wsgi.process_group"] = spec.group
    if applications.is_alone(spec):
        found.update(applications.of_application(spec.applications[0]))
    return found


def _pulses(fds: List[int]) -> List[Pulse]:
    """Map the pulses of the listeners; their descriptors are not needed any more."""
    with step("serving", "map the pulses of the listeners"):
        pulses = [Pulse(fd) for fd in fds]
    for fd in fds:
        os.close(fd)
    return pulses


def _access_log(fd: Optional[int], lines: LogLines) -> Callable[[bytes], None]:
    def tell(text: str) -> bool:
        lines.log("warning", "access log: %s" % text)
        return True

    own = CountedLines(1 if fd is None else fd, tell)
    if fd is not None:
        return own.write

    def write(data: bytes) -> None:
        (lines.access if lines.framed else own.write)(data)

    return write
