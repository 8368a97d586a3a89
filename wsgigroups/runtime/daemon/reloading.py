"""script-reloading and reload: whether what a process has loaded is what lies on the disk now.

A change is told once, by the thread that notices it, and leads to a rolling replacement of the group; the process
itself serves on with what it has. With script-reloading = "wait" the question is asked before a connection is accepted:
one that comes after a change stays in the queue of the listener for a successor.
"""

from __future__ import annotations

import glob
import sys
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from .. import tracebacks
from ..log import Log
from ..originals import Lock, os, time
from ..threads import ServerThread
from . import script
from .target import Application, Environ, StartResponse

_LOOK_NS = 1_000_000_000
_POLL_S = 1.0  # between two looks at files that `reload` names
Changed = Callable[[str], None]  # called with the path
State = Dict[str, Tuple[int, int, int]]


class ScriptWatch:
    """One script file, and what its function reload_required says of it."""

    def __init__(self, path: str, log: Log) -> None:
        self.path = path
        self._log = log
        self._seen = script.version(path)
        self._wanted = False  # what reload_required said last

    def changed(self) -> bool:
        """Whether there is something new since the last call that said so; one thread at a time asks."""
        found = script.version(self.path)
        if found is not None and found != self._seen:  # a vanished file is being replaced: look again later
            self._seen = found
            return True
        wanted = self._required()
        is_new = wanted and not self._wanted
        self._wanted = wanted
        return is_new

    def _required(self) -> bool:
        module = sys.modules.get(script.module_name(self.path))
        ask = getattr(module, "reload_required", None)
        if ask is None:
            return False
        try:
            return bool(ask(self.path))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is no answer
            self._log("error", "reload_required of %s failed\n%s" % (self.path, tracebacks.of_error(error)))
            return False


class Watched:
    """An application whose script is looked at by requests, at most once a second; it answers with what it has."""

    def __init__(self, watch: ScriptWatch, application: Application, changed: Changed) -> None:
        self._watch = watch
        self._application = application
        self._changed = changed
        self._next_look_ns = 0
        self._lock = Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> object:
        """Answer with the application that is loaded. Two threads may look at once; the other one goes on."""
        if time.monotonic_ns() >= self._next_look_ns and self._lock.acquire(blocking=False):
            try:
                self._next_look_ns = time.monotonic_ns() + _LOOK_NS
                if self._watch.changed():
                    self._changed(self._watch.path)
            finally:
                self._lock.release()
        return self._application(environ, start_response)


class Freshness:
    """All scripts of a process whose requests wait for new code; asked by whoever accepts connections."""

    def __init__(self, changed: Changed) -> None:
        self.watches: List[ScriptWatch] = []
        self._changed = changed

    def outdated(self) -> bool:
        """Whether a script has changed since it was asked last."""
        found = [watch for watch in self.watches if watch.changed()]
        for watch in found:
            self._changed(watch.path)
        return bool(found)


class FileWatch:
    """Files that match patterns (glob, ** for any directories), looked at again and again by a thread of its own.

    There is no thread where there are no patterns. Polling with nothing but the standard library: what watches runs
    as the group's user, in its own interpreter and root directory, where the manager may look at nothing.
    """

    def __init__(self, patterns: Sequence[str], changed: Changed) -> None:
        """Remember how the files are now: before the application is loaded."""
        self._changed = changed
        self._lock = Lock()  # of what follows
        self._patterns = tuple(patterns)
        self._seen = state_of(self._patterns)
        self._thread: Optional[ServerThread] = None

    @property
    def patterns(self) -> Tuple[str, ...]:
        """Return what it looks at."""
        return self._patterns

    def start(self) -> None:
        """Begin to look, until the process ends. Main thread. Raises RuntimeError."""
        if self._thread is None and self._patterns:
            self._thread = ServerThread("wsgigroups-reload", self._run)
            self._thread.start()

    def follow(self, patterns: Sequence[str]) -> None:
        """Look at other files from now on. Main thread. Raises RuntimeError."""
        if tuple(patterns) != self._patterns:
            seen = state_of(patterns)
            with self._lock:
                self._patterns, self._seen = tuple(patterns), seen
        self.start()

    def _run(self) -> None:
        while True:
            time.sleep(_POLL_S)
            self.look()

    def look(self) -> None:
        """Look once; tell of the first file that was changed, added or removed."""
        with self._lock:
            found = state_of(self._patterns)
            path = first_difference(self._seen, found)
            self._seen = found
        if path is not None:
            self._changed(path)


def state_of(patterns: Sequence[str]) -> State:
    """Return what changes when one of the files does."""
    found: State = {}
    for pattern in patterns:
        for path in glob.iglob(pattern, recursive=True):
            version = script.version(path)
            if version is not None and not os.path.isdir(path):
                found[path] = version
    return found


def first_difference(before: State, after: State) -> Optional[str]:
    """Return the first file, by name, that is not the same; None if there is none."""
    if before == after:
        return None
    return min(path for path in {*before, *after} if before.get(path) != after.get(path))
