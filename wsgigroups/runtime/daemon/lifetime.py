"""A daemon's main thread from ready to gone: it waits for its channel and for signals, and leaves in good order.

One poll without timeout while it serves, so an idle daemon's main thread never wakes. Must not judge its own
health: the manager does that from the board, and ends with SIGKILL what does not leave in time.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Optional

from ..application.here import Here
from ..originals import os, select, signal, time
from ..threads import ServerThread
from ..wire import messages
from ..wire.board import REASON, REASON_NAME, STATE, WORD, Board
from ..wire.exits import STEPS
from ..wire.spec import Spec
from ..wsgi.forked import leave
from . import resources, signals
from .ending import end_interpreter
from .failure import is_ours
from .reloading import FileWatch
from .reporter import Reporter
from .script import ScriptRules
from .served import Served
from .stacks import other_stacks
from .title import set_title

_CLOSE_S = 2.0  # for threads of the server that have nothing to do any more; the rest is for exit functions
_IDLE_PART = 0.95  # of shutdown-timeout in which idle connections may be waited for; the rest is for exit functions
_UNBOUNDED_S = 3600.0
_LAST_IDLE_S = 2.0  # … where nobody follows: a request may be on its way for this long
_TOLD = 32768  # characters of each part; it travels in one frame, is kept and shown
_INSISTS_S = 1.0  # after a signal that asks for the end: another one is no copy of it, but somebody who insists
_IDLE_LOOK_MS = 20  # while a window is open or requests are finishing: a few dozen looks in a life
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGXCPU)
_WAKE = b"\0"  # no signal has number 0: something was put down for the main thread to find
_XCPU_PERIOD_S = 1.0  # of processor time from one SIGXCPU to the next: setrlimit(2)
_TIMES = ("shutdown_timeout_s", "graceful_timeout_s", "eviction_timeout_s")


class Lifetime:
    """Ready, draining, stopping, gone. Only the main thread changes its state; others leave a note and wake it."""

    def __init__(self, spec: Spec, reporter: Reporter, board: Board, here: Here) -> None:
        self._spec = spec
        self._reporter = reporter
        self._board = board
        self._here = here
        self._log = here.log
        self._times: Dict[str, float] = {name: getattr(spec, name) for name in _TIMES}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._pid = os.getpid()
        self._channel_open = True
        self._forked = False  # this is a process that the application has forked
        self._until_s: Optional[float] = None  # when shutdown-timeout is over
        self._limit_s = 0.0
        self._window_ends_s: Optional[float] = None  # set once; a later reason cannot extend it
        self._terminated_s: Optional[float] = None  # when it was first told to end by a signal
        self._followed = True
        self._closes = False
        self._stopping = False
        self._reached_maximum = False  # written by a request thread before it wakes the main thread
        self._changed_script: Optional[str] = None  # likewise
        self._all_shut = False  # likewise
        self._server: Served
        self._rules: ScriptRules
        os.register_at_fork(after_in_child=self._forget_in_child)  # an import may fork, too

    def start(self, server: Served, rules: ScriptRules, confined: Mapping[str, Any], files: FileWatch) -> None:
        """Take over the signals and start the server. Raises what the server raises.

        confined: what became of the options of confinement.
        """
        self._server = server
        self._rules = rules
        self._files = files
        server.on_maximum_requests = self._maximum_requests
        server.on_all_shut = self._no_listener
        server.on_failure = _end_at_once
        os.register_at_fork(after_in_child=server.forget_in_child)
        # After the application was loaded, so that a handler it has installed does not take ours away.
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, _only_wake)
        server.start()
        files.start()
        self._board.words[WORD["tuned"]] = self._board.words[WORD["tuned"]] or 1  # a gateway has been told routes
        self._board.words[WORD["state"]] = STATE["ready"]
        self._confined = dict(confined)

    def serve(self) -> NoReturn:
        """Say that the daemon is ready, wait and obey until it is time to go, then end the process with code 0."""
        turn = self._say_ready
        while not self._stopping:
            try:
                turn()
                turn = self._wait
            except BaseException as error:  # noqa: BLE001 - handlers of the application's run in this thread
                self._raised(error)
        self._server.let_go()
        if (
            self._spec.gateway
        ):  # nothing of others was loaded that could want to do something now, and no thread may start
            os._exit(0)
        end_interpreter(self._until_s, self._limit_s, self._log)

    def _say_ready(self) -> None:
        version = "%d.%d.%d" % sys.version_info[:3]
        self._reporter.send(messages.Ready(self._spec.life, os.getpid(), version, self._confined))
        early, self._reporter.early = self._reporter.early, []
        self._obey(early)

    # Called in request threads

    def script_changed(self, path: str) -> None:
        """Note that a script was written anew."""
        self._changed_script = path
        self._wake()

    def _maximum_requests(self) -> None:
        self._reached_maximum = True
        self._wake()

    def _no_listener(self) -> None:
        self._all_shut = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is full of wake-ups already
            os.write(self._wake_write, _WAKE)

    # Main thread

    def _raised(self, error: BaseException) -> None:
        """Leave after sys.exit() in a handler of the application's; raise any other error again."""
        if self._forked:
            leave(None if is_ours(error) else error)  # ours is that of descriptors that are closed here
        if not isinstance(error, SystemExit):
            raise error
        self._leave("signal", 0.0)

    def _wait(self) -> None:
        """One turn."""
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        if self._channel_open:
            poller.register(self._reporter.fileno(), select.POLLIN)
        unsaid = self._reporter.unsaid_fd()
        if unsaid is not None:
            poller.register(unsaid, select.POLLOUT)
        looking = self._window_ends_s is not None
        events = poller.poll(_IDLE_LOOK_MS if looking else None)
        if self._forked:  # by such a handler, and it came back
            leave(None)
        for fd, _events in events:
            if fd == self._wake_read:
                self._wakened()
            elif fd == unsaid:
                self._reporter.flush()
            else:
                self._hear()
        ends_s = self._window_ends_s
        if ends_s is not None and (time.monotonic() >= ends_s or self._server.is_idle()):
            self._stop()

    def _wakened(self) -> None:
        try:
            numbers = os.read(self._wake_read, 4096)
        except BlockingIOError:
            return
        for number in sorted(set(numbers)):
            if number in (signal.SIGTERM, signal.SIGINT):
                self._terminate()
            elif number == signal.SIGUSR1:
                self._because("eviction")
                self._announce("signal")  # its window, eviction-timeout, begins when the successor is ready
            elif number == signal.SIGXCPU:
                self._used_up()
            elif number in signals.IGNORED and self._here.signals.callbacks:
                self._in_a_thread("signal", self._here.signalled, signal.Signals(number).name, number)
        if self._reached_maximum:
            self._reached_maximum = False
            self._announce("maximum-requests")
        if self._all_shut:
            self._all_shut = False
            self._leave("listeners-shut", 0.0)
        path, self._changed_script = self._changed_script, None
        if path is not None:
            self._log("notice", "%s has changed" % path)
            self._announce("script-reloading")

    def _terminate(self) -> None:
        """Leave the end to the manager: it has a successor come first, or has all leave at its own end.

        So nothing is lost on a platform that signals every process. Whoever insists is obeyed at once: nobody may hear.
        """
        now_s = time.monotonic()
        if self._terminated_s is None:
            self._terminated_s = now_s
            self._because("terminated")
            self._announce("terminated")
        elif now_s - self._terminated_s >= _INSISTS_S:
            self._leave("terminated", 0.0)

    def _hear(self) -> None:
        try:
            found = self._reporter.receive_ready()
        except EOFError:
            self._channel_open = False
            self._leave("orphaned", self._times["eviction_timeout_s"])
            return
        self._obey(found)

    def _obey(self, found: List[messages.Message]) -> None:
        for message in found:
            if isinstance(message, messages.Drain):
                self._followed, self._closes = message.followed, message.closes
                self._drain(message.reason, message.window_s)
            elif isinstance(message, messages.PartMessage):
                self._server.part(True)
            elif isinstance(message, messages.Tune):
                self._tune(message)
            elif isinstance(message, messages.DumpStacks):
                self._tell()
            elif isinstance(message, messages.Interrupt):
                self._server.interrupt(message.thread, message.since_ns)

    def _tell(self) -> None:
        """Say which requests are in the application and where every other thread is."""
        requests, stacks = "\n".join(self._server.requests_in_flight()), other_stacks(self._server.threads_in_flight())
        self._log("notice", "requests in flight:\n%s" % requests if requests else "no request is in flight")
        self._log("notice", "stacks of all threads:\n%s" % stacks)
        self._reporter.send(messages.InFlight(self._spec.life, requests[:_TOLD], stacks[:_TOLD]))

    def _tune(self, message: messages.Tune) -> None:
        if message.serving:
            self._server.tune(message.serving)
        if message.title:
            set_title(message.title)
        for name, value in message.spec.items():
            if name in _TIMES and isinstance(value, (int, float)):
                self._times[name] = float(value)
            elif name in ("script_user", "script_group") and (value is None or isinstance(value, int)):
                setattr(self._rules, name[len("script_") :], value)
            elif name == "reload" and isinstance(value, list):
                self._files.follow([str(item) for item in value])
        if not (message.serving or message.title or message.spec):
            self._server.part(False)
        if self._window_ends_s is None:
            self._server.accept_again()  # a process that is told how to go on is not about to be followed
        if message.number > 0:
            self._board.words[WORD["tuned"]] = message.number

    def _used_up(self) -> None:
        """cpu-time-limit, which is said again with each second of processor time: leave when the successor is ready.

        Behind it the kernel has a limit that kills. A process that is not told until then leaves by itself, in time
        for its window and shutdown-timeout.
        """
        window_s = self._times["graceful_timeout_s"]
        needed_s = (window_s + self._times["shutdown_timeout_s"]) * self._spec.serving.threads + _XCPU_PERIOD_S
        if resources.cpu_left_s() <= needed_s:
            self._leave("cpu-time-limit", window_s)
        elif self._board.words[WORD["reason"]] == REASON["none"]:
            self._announce("cpu-time-limit")

    def _because(self, reason: str) -> None:
        """Let the application know why the process leaves; the first reason counts."""
        self._here.shutdown_reason = self._here.shutdown_reason or reason

    def _announce(self, reason: str) -> None:
        """Say that a successor is wanted; without a manager to hear it the daemon simply serves on."""
        if self._board.words[WORD["reason"]] == REASON["none"]:
            self._board.words[WORD["reason"]] = REASON[reason]
        self._reporter.send(messages.Leaving(self._spec.life, reason))

    def _leave(self, reason: str, window_s: float) -> None:
        """Leave on our own account. Reminders, such as SIGXCPU each second, change nothing."""
        if self._window_ends_s is None or reason != REASON_NAME.get(self._board.words[WORD["reason"]]):
            self._announce(reason)
        self._drain(reason, window_s)

    def _drain(self, reason: str, window_s: float) -> None:
        """Open the window. A second call may end it at once (window 0), never make it longer."""
        now_s = time.monotonic()
        if self._window_ends_s is None:
            self._log("info", "stopping: %s%s" % (reason, ", within %gs" % window_s if window_s > 0 else ""))
            self._because(self._reason_on_board() or reason)
            self._window_ends_s = now_s + max(window_s, 0.0)
            self._board.words[WORD["state"]] = STATE["draining"]
            self._server.make_way()
        elif window_s <= 0 and now_s < self._window_ends_s:
            self._log("info", "stopping: at once, its time to finish is cut short")
            self._window_ends_s = now_s

    def _stop(self) -> None:
        """Take nothing new and let what runs finish; idle connections wait for their next request meanwhile.

        All within shutdown-timeout, and so is what comes then: the end of the interpreter.
        """
        self._stopping = True
        self._board.words[WORD["state"]] = STATE["stopping"]
        limit_s = self._limit_s = self._times["shutdown_timeout_s"]
        until_s = self._until_s = time.monotonic() + limit_s if limit_s > 0 else None
        idle_s = None if self._followed else _LAST_IDLE_S
        if limit_s > 0:
            idle_s = min(limit_s * _IDLE_PART, limit_s if idle_s is None else idle_s)
        self._server.stop_accepting(idle_s, self._closes)
        telling = self._tell_application()
        while not self._server.is_idle():
            left_s = 3600.0 if until_s is None else until_s - time.monotonic()
            if left_s <= 0:
                self._log("warning", "shutdown-timeout of %gs is over: running requests are cut off" % limit_s)
                self._server.cut_off()
                os._exit(0)
            self._server.wait_idle(left_s)
        if telling is not None and not telling.join(_UNBOUNDED_S if until_s is None else _left_s(until_s) / 2):
            self._log("warning", "a subscriber of process_stopping has not returned: the process ends without it")
        left_s = _CLOSE_S if until_s is None else (until_s - time.monotonic()) / 4
        self._server.close(max(min(left_s, _CLOSE_S), 0.0))

    def _reason_on_board(self) -> str:
        word = self._board.words[WORD["reason"]]
        return "" if word == REASON["none"] else REASON_NAME.get(word, "")

    def _tell_application(self) -> Optional[ServerThread]:
        """Call who has subscribed to the end of the process, in a thread: this one has a deadline to keep."""
        return self._in_a_thread("stopping", self._here.stopping) if self._here.wants_to_know else None

    def _in_a_thread(self, name: str, function: Callable[..., None], *arguments: Any) -> Optional[ServerThread]:
        thread = ServerThread("wsgigroups-" + name, function, *arguments)
        try:
            thread.start()
        except RuntimeError as error:  # a limit on processes or memory
            self._log("warning", "the application is not told of %s: %s" % (name, error))
            return None
        return thread

    def _forget_in_child(self) -> None:
        """Run in processes that the application forks: they must neither answer nor wake for us."""
        if self._forked:
            return
        self._forked = True
        self._reporter.forget()
        signal.set_wakeup_fd(-1)
        for number in (*_SIGNALS, *signals.IGNORED):
            if signal.getsignal(number) in (_only_wake, signals.ignore):
                signal.signal(number, signal.SIG_DFL)
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)


def _end_at_once() -> None:
    """Leave without ceremony: nothing is answered any more, and the manager replaces what has ended."""
    os._exit(STEPS["serving"])


def _left_s(until_s: float) -> float:
    return max(0.0, until_s - time.monotonic())


def _only_wake(_number: int, _frame: Any) -> None:
    """The wake-up descriptor has the signal's number; the loop does the work."""
