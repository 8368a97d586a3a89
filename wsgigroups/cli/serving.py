"""A manager in the foreground for one project, in directories of its own, and what is said of it on a terminal.

Runs in the user's process. The manager is a child with a session of its own, so that Ctrl-C reaches this process alone;
it ends when this process ends, however that happens. Three threads wait for what the main one does: the manager's log
of the group, its answers, and its end.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from wsgigroups.cli.background import start_manager
from wsgigroups.cli.culprits import culprit
from wsgigroups.cli.directories import default_state_dir
from wsgigroups.cli.following import Down, Following, NotBegun, Up
from wsgigroups.cli.main import Globals
from wsgigroups.cli.output import say
from wsgigroups.client import Client
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    import subprocess

    from wsgigroups.config.project import Project

_LONGEST_BYTES = 36  # of a directory: the sockets of spawners below it have 70 more, and 107 are the most (unix(7))
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Foreground:
    """One project while it is served."""

    def __init__(self, options: Globals, project: Project, text: str, output: str) -> None:
        """text: the groups file of the project; output: how to say that it serves."""
        self._options = options
        self._project = project
        self._text = text
        self._output = output
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()  # put() may be called by handlers of signals
        self._manager: subprocess.Popen[bytes] | None = None
        self._asked = 0  # how often an end was asked for
        self._was_up = self._has_answered = False  # it serves, or did; the manager that runs has begun with it
        self._error: WsgigroupsError | None = None
        self._code = int(ExitCode.DONE)

    def run(self) -> int:
        """Serve until it is asked to end; return the exit code. Raises WsgigroupsError where it cannot begin."""
        before = {number: signal.signal(number, self._took) for number in _ENDS if _is_heard(number)}
        place = _private_place()
        try:
            self._serve(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._error is not None:
            raise self._error
        return self._code

    def _serve(self, place: Path) -> None:
        options = self._options
        run_dir = options.named_run_dir or place / "run"
        state_dir, log_dir = options.named_state_dir or place / "state", options.named_log_dir or place / "log"
        directories = Globals(run_dir, state_dir, log_dir, options.color, options.verbosity)
        document = self._document(place)
        if Client(run_dir).running():
            raise WsgigroupsError(f"cannot serve with {run_dir}: a manager runs there", hint="leave out --run-dir")
        said, saying = os.pipe()
        pump = threading.Thread(target=_pass_on, args=(os.fdopen(said, "rb"),), daemon=True)
        pump.start()
        try:
            with open(_own_file(place / "manager.log"), "r+b") as log:
                self._go_on(directories, document, saying, log)
        finally:
            os.close(saying)
            pump.join(1.0)  # what has left the group's control could hold its end open

    def _document(self, place: Path) -> dict[str, Any]:
        """What the manager is told. Raises WsgigroupsError (2) for what cannot be served on this host."""
        from wsgigroups.cli.loading import certain_here
        from wsgigroups.config import load
        from wsgigroups.config.diagnostics import Severity

        path = place / "groups.toml"
        with open(_own_file(path), "w", encoding="utf-8") as file:
            file.write(f'{self._text}\n[server]\nerror-log = "/dev/stdout"\n')
        loaded = load([path], variables={}, check=certain_here())
        path.unlink()  # what was given with --env may be secret
        for found in loaded.diagnostics:
            if found.severity is Severity.ERROR:
                raise WsgigroupsError(f"cannot serve this: {found.message}", hint=found.hint, exit_code=ExitCode.USAGE)
        assert loaded.configuration is not None
        return loaded.configuration.to_document()

    # The manager

    def _go_on(self, directories: Globals, document: dict[str, Any], saying: int, log: BinaryIO) -> None:
        following = self._start(directories, document, saying, log)
        try:
            while True:
                item = self._inbox.get()
                if isinstance(item, signal.Signals):
                    self._end(directories.run_dir)
                elif isinstance(item, int):
                    if not self._was_killed(item, log):
                        return
                    following.close()
                    following = self._start(directories, document, saying, log)
                elif item[0] is following:
                    self._hear(item[1])
        finally:
            following.close()
            self._leave()

    def _start(self, directories: Globals, document: dict[str, Any], saying: int, log: BinaryIO) -> Following:
        manager, ready = start_manager(
            directories,
            ["--end-with", str(os.getpid())],
            stdout=saying,
            stderr=log.fileno(),
            directory=self._project.directory,
        )
        self._manager, self._has_answered = manager, False
        if self._asked:
            manager.terminate()
        threading.Thread(target=lambda: self._inbox.put(manager.wait()), daemon=True).start()
        following = Following(directories.run_dir, self._project, document, self._inbox)
        threading.Thread(target=following.follow, args=(ready,), daemon=True).start()
        return following

    def _was_killed(self, status: int, log: BinaryIO) -> bool:
        """Whether a manager that has ended is to be followed by another one: its processes serve on without it."""
        self._manager = None
        if status < 0 and self._has_answered:
            say("the manager was killed; the next one takes over what it ran")
            return True
        if status and not self._asked:
            log.seek(0)
            lines = log.read().decode(errors="replace").rstrip().split("\n")
            last = clean(next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1]))
            self._error = WsgigroupsError("cannot start a manager", hint=f"its last words: {last}" if last else None)
        return False

    def _took(self, number: int, _frame: object) -> None:
        self._inbox.put(signal.Signals(number))

    def _end(self, run_dir: Path) -> None:
        """Ask the manager to drain; the second time, to end at once what it runs."""
        self._asked += 1
        if self._manager is None:
            return
        if self._asked == 1:
            say("Ending: requests under way are finished; Ctrl-C again ends them.", self._options.verbosity)
            self._manager.terminate()
            return
        try:
            Client(run_dir, timeout_s=5.0).act("shutdown", {"now": True})
        except WsgigroupsError:  # it is not up yet, or not any more
            self._manager.terminate()

    def _leave(self) -> None:
        """Wait for a manager that was left by an error of this process."""
        if self._manager is not None:
            self._manager.terminate()
            self._manager.wait()

    # What it says

    def _hear(self, item: Up | Down | NotBegun | str) -> None:
        self._has_answered = True
        if self._asked:
            return
        if isinstance(item, Up):
            self._is_up(item)
        elif isinstance(item, Down):
            self._is_down(item)
        elif isinstance(item, NotBegun):
            self._error, self._asked = item.error, 1
            if self._manager is not None:
                self._manager.terminate()
        else:
            say(item)

    def _is_up(self, up: Up) -> None:
        if self._was_up:
            return
        self._was_up = True
        urls = [_url(address) for address in self._project.listen]
        if self._output == "json":
            from wsgigroups.cli.output import write_line

            name, run_dir = self._project.group, str(up.run_dir)
            write_line({"schema_version": 1, "name": name, "urls": urls, "run_dir": run_dir, "pid": up.manager_pid})
            return
        processes = "1 process" if up.processes == 1 else f"{up.processes} processes"
        threads = "1 thread" if up.threads == 1 else f"{up.threads} threads"
        user = f" as {up.user}" if os.geteuid() == 0 else ""
        what = f"{clean(self._project.found.what)}, Python {up.python}, {processes} of {threads}{user}"
        say(
            f"{clean(self._project.group)} is served at {' '.join(urls)} ({what}). Ctrl-C ends it.",
            self._options.verbosity,
        )
        if self._options.verbosity > 0:
            say(f"its state: wsgigroups --run-dir {up.run_dir} status")

    def _is_down(self, down: Down) -> None:
        """Show why it does not start. Without --reload that is the end."""
        say(f"error: {clean(self._project.group)} does not start: {clean(down.message)}")
        where = culprit(down.traceback, self._project.directory)
        if where:
            say(f"    {clean(where)}")
        if os.geteuid() == 0 and "Permission denied" in down.message:
            say("hint: as root it is served as another user, who has to be allowed to read it: --user names one")
        if self._project.patterns:
            say("waiting for its files to change")
            return
        self._code, self._asked = int(ExitCode.FAILED), 1
        if self._manager is not None:
            self._manager.terminate()


def _is_heard(number: signal.Signals) -> bool:
    """Whether a signal was not to be ignored: nohup(1) lets SIGHUP be ignored, shells SIGINT in the background."""
    return signal.getsignal(number) != signal.SIG_IGN


def _private_place() -> Path:
    """Make a directory that is nobody else's, and not one of a manager that another command knows.

    Below /run as root, else below $XDG_RUNTIME_DIR, else below the state directory; for sockets that have too long a
    path there, among temporary files. Groups of other users find their sockets in it, so others may enter it where the
    manager is root. Raises WsgigroupsError.
    """
    is_root = os.geteuid() == 0
    above = _above(is_root)
    try:
        if not is_root:
            above.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="wsgigroups-serve-", dir=above))
    except OSError as error:
        raise WsgigroupsError(
            f"cannot make a directory in {above}: {(error.strerror or str(error)).lower()}",
            hint=None if is_root else "set XDG_RUNTIME_DIR to a directory of yours",
        ) from None
    if is_root:
        place.chmod(0o755)
    return place


def _own_file(path: Path) -> int:
    """Make a file that nobody else can read; return a descriptor to append to it and to read it."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _above(is_root: bool) -> Path:
    if is_root:
        return Path("/run")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    found = Path(runtime) if os.path.isabs(runtime) else default_state_dir()
    return found if len(os.fsencode(found)) <= _LONGEST_BYTES else Path(tempfile.gettempdir())


def _pass_on(lines: BinaryIO) -> None:
    """Write the group's log to standard error, line by line, as long as anybody writes it."""
    with lines:
        for line in lines:
            text = clean(line.decode(errors="replace").rstrip("\n"), "\t")
            with contextlib.suppress(OSError):  # a terminal that is gone: who writes goes on
                os.write(2, f"{text}\n".encode(errors="replace"))


def _url(address: str) -> str:
    return address if address.startswith("unix:") else f"http://{address}"
