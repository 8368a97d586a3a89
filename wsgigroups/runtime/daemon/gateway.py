"""A gateway's way up, where a daemon loads applications: it waits for its first routes, and serves by them.

What is imported here has to be there before the process enters its root, which is empty. One that keeps a program of
somebody else has no root of its own (runtime/keeper), since that program needs what it was linked with.
"""

from __future__ import annotations

import resource
from typing import Any, Callable, Dict, List, Mapping, Tuple

from .. import kernel, signal_stack
from ..application.here import Here
from ..gateway import table
from ..gateway.server import GatewayServer
from ..keeper.server import KeeperServer
from ..log import Log, LogLines
from ..originals import os, socket
from ..wire import messages
from ..wire.board import WORD, Board
from ..wire.pulse import Pulse
from ..wire.routes import REFUSED, SiteRoute
from ..wire.spec import Spec
from . import descriptors, surroundings
from .failure import StepError, step
from .lifetime import Lifetime
from .reloading import FileWatch
from .reporter import Reporter
from .script import ScriptRules
from .served import Served
from .title import set_title


def start(
    spec: Spec,
    confined: Mapping[str, Any],
    listener_fds: List[int],
    pulses: List[Pulse],
    reporter: Reporter,
    board: Board,
    lines: LogLines,
) -> Lifetime:
    """Serve as a gateway. Raises StepError."""
    log = lines.log
    with step("interpreter", "prepare the process"):
        _furnish(spec, lines)
        _allow_descriptors()
    lifetime = Lifetime(spec, reporter, board, Here(spec, log))
    server, use = _kept(spec, listener_fds, board, log) if spec.nginx else _own(spec, listener_fds, pulses, board, log)
    Routing(use, board, log).await_first(reporter)
    with step("serving", "start serving"):
        lifetime.start(server, ScriptRules(None, None), confined, FileWatch((), lifetime.script_changed))
        if os.getuid() and not spec.nginx:
            _forbid_forks()
    return lifetime


def _furnish(spec: Spec, lines: LogLines) -> None:
    """What the process has around it: no interpreter is set up, since nothing will be imported any more."""
    surroundings.set_umask(spec.umask)
    surroundings.enter_home(spec.home)
    surroundings.replace_environment(spec, lines.log)
    with step("descriptors", "open the standard streams"):
        descriptors.reopen_streams(lines)
    signal_stack.make_room()
    set_title(spec.title)


# What goes by routes: the file with them, their number, descriptors of directories and of access logs, and of the page
# where requests of sites are counted, -1 without one. Directories are its own if nothing is raised, all others stay the
# caller's. Raises RoutesError.
Use = Callable[[int, int, List[int], List[int], int], None]


def _own(spec: Spec, listener_fds: List[int], pulses: List[Pulse], board: Board, log: Log) -> Tuple[Served, Use]:
    """Return the server, which has no routes yet, and what tells it some. Raises StepError("serving")."""
    with step("serving", "use the listeners %s" % ", ".join(spec.listen)):
        server = GatewayServer(
            settings=spec.serving,
            listen=spec.listen,
            listeners=[socket.socket(fileno=fd) for fd in listener_fds],
            pulses=pulses,
            board=board,
            log=log,
            identity="%s/%d" % (spec.group, spec.slot),
        )
    known: Dict[str, SiteRoute] = {}  # the sites of the last routes, by their lines

    def use(routes: int, _number: int, directories: List[int], logs: List[int], counts: int) -> None:
        server.route(table.load(routes, known), directories, logs, counts)

    return server, use


def _kept(spec: Spec, listener_fds: List[int], board: Board, log: Log) -> Tuple[Served, Use]:
    """Return what keeps nginx, which has no configuration yet. Raises StepError("serving")."""
    with step("serving", "keep nginx on %s" % ", ".join(spec.listen)):
        kernel.allow_tracing()  # nginx finds directories below /proc/PID/fd of its keeper
        kernel.adopt_orphans()
        server = KeeperServer(
            path=str(spec.nginx),
            listeners=[socket.socket(fileno=fd) for fd in listener_fds],
            board=board,
            log=log,
            name=str(spec.life),
        )

    def use(routes: int, number: int, directories: List[int], logs: List[int], _counts: int) -> None:
        server.route(table.read(routes), number, directories, logs)
        _close(directories)

    return server, use


class Routing:
    """Takes routes from the channel, and has the server go by them. The main thread's."""

    def __init__(self, use: Use, board: Board, log: Log) -> None:
        self._use = use
        self._board = board
        self._log = log
        self._files: List[int] = []  # those that have come ahead of a Route
        self._counts: List[int] = []  # the page for counts that has come ahead of one
        self._refused = ""  # why the last routes could not be used; "": they could

    def await_first(self, reporter: Reporter) -> None:
        """Go by the first routes. Raises StepError("serving")."""
        reporter.on_route = self.take
        with step("serving", "receive the routes"):
            reporter.receive_until(messages.Route)
        if self._refused:
            raise StepError("serving", "cannot use the routes: %s" % self._refused)

    def take(self, message: messages.Message, fds: List[int]) -> None:
        """Take a message with descriptors, which are ours from now on."""
        if isinstance(message, messages.RouteFiles):
            self._files += fds
        elif isinstance(message, messages.SiteCounts):
            _close(self._counts)
            self._counts = fds
        elif isinstance(message, messages.Route):
            files, self._files = [*self._files, *fds[1:]], []
            self._refused = self._go_by(message, fds[:1], files)
            if self._refused:
                self._log("error", "cannot use the routes: %s" % self._refused)
            if message.number > 0:
                self._board.words[WORD["tuned"]] = REFUSED if self._refused else message.number
        else:
            _close(fds)

    def _go_by(self, message: messages.Route, routes: List[int], files: List[int]) -> str:
        """Return why the routes cannot be used, "" when the server goes by them."""
        counts, self._counts = self._counts, []
        directories, logs = files[: message.directories], files[message.directories :]
        try:
            _check_count(message, len(routes) + len(files))
            self._use(routes[0], message.number, directories, logs, counts[0] if counts else -1)
        except table.RoutesError as error:
            _close(directories)
            return str(error)
        finally:
            _close([*routes, *logs, *counts])
        return ""


def _allow_descriptors() -> None:
    """Take as many descriptors as may be: a client that waits costs one, and one that is answered two."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _forbid_forks() -> None:
    """Have the kernel refuse every process and thread from now on (setrlimit(2), RLIMIT_NPROC): all threads run.

    Raises OSError, ValueError.
    """
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _check_count(message: messages.Route, count: int) -> None:
    announced = 1 + message.directories + message.access_logs
    if count != announced:
        raise table.RoutesError("%d descriptors came with routes, %d were announced" % (count, announced))


def _close(fds: List[int]) -> None:
    for fd in fds:
        os.close(fd)
