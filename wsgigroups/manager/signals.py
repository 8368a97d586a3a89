"""What signals to a manager do. Runs in the manager's only thread, as callbacks of its event loop.

TERM and INT win over everything that comes later; each further one hastens. HUP reads the configuration again, once for
many that come together; USR1 opens every log again. Those that would end the process by default, and that nobody should
send, are logged and do nothing. docs/ending.md has the table.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager import early_signals
from wsgigroups.manager.core import model
from wsgigroups.manager.queueing import Asked
from wsgigroups.manager.supervision.group_log import GroupLog
from wsgigroups.runtime import signal_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.config import Configuration
    from wsgigroups.manager.applying import Applying
    from wsgigroups.manager.heard import HeardSignals
    from wsgigroups.manager.systemd.telling import Telling

SAME_S = 0.2  # a second TERM so soon is the same one, sent to the process and to its group, say
_END = (signal.SIGTERM, signal.SIGINT)
# Faults of our own end the manager as the kernel does it; SIGPIPE and SIGXFSZ Python ignores; the rest does nothing.
_LEFT = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH),
        *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGSYS, signal.SIGTRAP),
        *(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGQUIT),
    }
)


class Signals:
    """Of one manager. Until `follow`, what they ask for is noted: it could not be done yet."""

    def __init__(
        self,
        applying: Applying,
        read: Callable[[], Configuration] | None,
        on_end: Callable[[], None],
        telling: Telling,
        log: Callable[[str, str], None],
        heard: HeardSignals,
    ) -> None:
        """read: gives the configuration anew, in a thread; None: there is no file. on_end: an end was asked for.

        telling: of a configuration that is read again.
        """
        self._applying = applying
        self._read = read
        self._on_end = on_end
        self._telling = telling
        self._log = GroupLog(log).log  # by the signal's name: who sends thousands gets so many lines a second
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._up = False
        self._asked_to_end = self._asked_to_read = False  # on the way up
        self._ended_at = 0.0  # when an end was asked for; 0: it was not
        self._reading: asyncio.Task[None] | None = None
        self._read_again = False

    def listen(self) -> None:
        """Take over all signals but SIGCHLD."""
        for number in signal.valid_signals() - _LEFT:
            self._heard.listen(number, self._took)
        faulthandler.register(signal.SIGQUIT, file=2, all_threads=True, chain=False)
        signal_stack.make_room()

    def follow(self) -> None:
        """Do what was asked for on the way up, and follow signals from now on."""
        self._up = True
        if self._asked_to_end or early_signals.asked_to_end():
            self._end("SIGTERM")
        elif self._asked_to_read or early_signals.asked_to_reload():
            self._read_configuration("SIGHUP")

    def _took(self, number: int) -> None:
        name = signal.Signals(number).name if number in signal.Signals.__members__.values() else f"signal {number}"
        if number in _END:
            self._asked_to_end = True
            if self._up:
                self._end(name)
        elif number == signal.SIGHUP:
            self._asked_to_read = True
            if self._up:
                self._read_configuration(name)
        elif number == signal.SIGUSR1:
            self._applying.shell.reopen_logs()
            self._log(name, "info", f"{name}: every log was opened again")
        else:
            self._log(name, "info", f"{name} does nothing to a manager")

    def _end(self, name: str) -> None:
        shell = self._applying.shell
        now = self._loop.time()
        if not self._ended_at:
            self._ended_at = now
            delay_s = self._applying.own.drain_delay_s if shell.state.groups else 0.0
            later = f"in {delay_s:g} s (drain-delay) " if delay_s else ""
            self._log(name, "info", f"{name}: asked to end, {later}draining everything")
            if not shell.state.stopping:
                shell.dispatch(model.Shutdown(delay_s=delay_s))
            self._on_end()
        elif now - self._ended_at > SAME_S and shell.state.drains_at is not None:
            self._ended_at = now
            self._log(name, "info", f"{name} again: drain-delay is over, draining everything now")
            shell.dispatch(model.Shutdown())
        elif now - self._ended_at > SAME_S and shell.state.groups:
            self._log(name, "warning", f"{name} again: what drains is ended now")
            shell.dispatch(model.Shutdown(now=True))

    def _read_configuration(self, name: str) -> None:
        if self._applying.shell.state.stopping:
            self._log(name, "info", f"{name}: nothing is read any more, the manager is on its way to its end")
        elif self._read is None:
            self._log(name, "warning", f"{name}: there is no file to read again")
            self._telling.reading()  # systemd waits for an answer to its signal
            self._telling.read()
        elif self._reading:
            self._read_again = True
        else:
            self._log(name, "info", f"{name}: reading the configuration again")
            self._telling.reading()
            self._reading = self._loop.create_task(self._apply(self._read, name))

    async def _apply(self, read: Callable[[], Configuration], name: str) -> None:
        try:
            change = await self._applying.apply(read, Asked("apply", name, os.geteuid(), os.getpid(), name))
            self._log(name, "info", f"{name}: " + (f"change {change.id} has begun" if change else "no changes"))
        except WsgigroupsError as error:
            self._log(name, "error", f"{name}: {error.message}; what runs stays")
        except Exception as error:  # noqa: BLE001 - one configuration must not take the handling of signals with it
            self._log(name, "error", f"[BUG] {name}: {error!r}")
        self._reading = None
        self._telling.read()
        if self._read_again:
            self._read_again = False
            self._read_configuration(name)
