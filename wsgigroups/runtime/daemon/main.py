"""A daemon's way up: every step in its order, each failure with its own exit code, then serving.

Runs in the forked child's main thread. Before the proof of the dropped privileges nothing of an application is read;
after it nothing here needs privileges. The order is argued in docs/architecture.md and checked step by step in tests.
"""

from __future__ import annotations

import faulthandler
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from .. import signal_stack
from ..application import modules
from ..application.here import Here
from ..application.spans import spans
from ..counted import CountedLines
from ..log import Log, LogLines, escaped
from ..originals import os, socket
from ..server import Server
from ..wire import messages, origin
from ..wire.board import STATE, WORD, Board
from ..wire.exits import STEPS
from ..wire.pulse import Pulse
from ..wire.spec import Identity, Spec
from . import applications, descriptors, handlers, health, interpreter, privileges, resources, surroundings
from .confining import Confining
from .failure import StepError, step
from .lifetime import Lifetime
from .loading import Loading
from .overdue import tells_where
from .reloading import FileWatch, Freshness
from .reporter import Reporter, SpecError
from .script import ScriptRules
from .title import set_title


def run(channel_fd: int, reports_fd: int, board_fd: int) -> int:
    """Become the daemon that the spec on the channel describes and serve until told to leave; the exit code."""
    reporter = Reporter(channel_fd, reports_fd)
    try:
        board = Board(board_fd)
        os.close(board_fd)
        spec, fds = reporter.receive_spec()
    except (SpecError, ValueError, OSError) as error:
        sys.stderr.write("wsgigroups daemon pid=%d: %s\n" % (os.getpid(), escaped(str(error))))
        sys.stderr.flush()
        return STEPS["spec"]
    lines = LogLines(2, lambda: "%s/%d life=%d pid=%d" % (spec.group, spec.slot, spec.life, os.getpid()))
    log = lines.log
    try:
        lifetime = _start(spec, fds, reporter, board, lines)
    except StepError as failure:
        log("error", "%s\n%s" % (failure, failure.trace) if failure.trace else str(failure))
        limited = "DATA" in spec.rlimits or "AS" in spec.rlimits
        reason = "memory-limit" if limited and failure.wants_memory else ""
        reporter.send_failed(messages.Failed(spec.life, failure.step, str(failure), failure.trace, reason))
        return failure.exit_code
    return lifetime.serve()


def _start(spec: Spec, fds: List[int], reporter: Reporter, board: Board, lines: LogLines) -> Lifetime:
    log = lines.log
    board.words[WORD["state"]] = STATE["starting"]
    log_fd, rest = fds[0], fds[1:]
    access_fd = rest.pop() if spec.access_log else None
    kept = [*reporter.descriptors(), *rest] + ([] if access_fd is None else [access_fd])
    if spec.log_token:
        lines.switch(spec.log_token, rest.pop(0))
    reporter.on_log = lines.switch
    listener_fds, pulse_fds = rest[: len(spec.listen)], rest[len(spec.listen) :]
    descriptors.redirect(log_fd)
    if spec.gateway:
        from . import gateway  # not in daemons of applications; nor later, since its root is empty
    with step("session", "confine the process"):
        confined = _confine(spec, kept, log)
    if spec.gateway:
        return gateway.start(spec, confined, listener_fds, _pulses(pulse_fds), reporter, board, lines)
    with step("interpreter", "prepare the interpreter"):
        _furnish(spec, lines)
    here = Here(spec, log)
    lines.request_id = here.request_id
    modules.install(here)
    handlers.restrict(spec.signals, log)
    lifetime = Lifetime(spec, reporter, board, here)
    fresh = Freshness(lifetime.script_changed)
    files = FileWatch(spec.reload, lifetime.script_changed)
    pid = os.getpid()
    rules = ScriptRules(spec.script_user, spec.script_group)
    with tells_where(reporter, spec.life):
        with step("import", "load the applications"):
            application = applications.build(spec, rules, log, lifetime.script_changed, Loading(board), fresh)
        if os.getpid() != pid:
            os._exit(STEPS["import"])  # the application forked and came back: one process of the two is enough
        if spec.health is not None:
            health.check(spec.health, spec.serving, application)
    pulses = _pulses(pulse_fds)
    server = _server(spec, listener_fds, pulses, application, board, log, _access_log(access_fd, lines))
    if fresh.watches:
        server.hold_for_successor(fresh.outdated)
    here.attach(server)
    if spec.tracing == "opentelemetry":
        observer = spans(spec.group, spec.slot, log)
        if observer is not None:
            server.observe(observer)
    with step("serving", "start serving"):
        lifetime.start(server, rules, confined, files)
    return lifetime


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


def _server(
    spec: Spec,
    listener_fds: List[int],
    pulses: List[Pulse],
    application: Callable[..., Any],
    board: Board,
    log: Log,
    access_log: Callable[[bytes], None],
) -> Server:
    with step("serving", "use the listeners %s" % ", ".join(spec.listen)):
        listeners = [socket.socket(fileno=fd) for fd in listener_fds]
        return Server(
            settings=spec.serving,
            listeners=listeners,
            pulses=pulses,
            application=application,
            board=board,
            log=log,
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
