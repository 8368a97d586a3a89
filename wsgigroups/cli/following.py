"""What a manager answers while somebody serves one project: whether it is up, and what happens to its processes.

Runs in the user's process, in a thread of its own, which asks and waits; what it learns it puts into a queue.
"""

from __future__ import annotations

import glob
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from wsgigroups.cli import deaths
from wsgigroups.cli.culprits import culprit
from wsgigroups.cli.turns import begin
from wsgigroups.client import Client
from wsgigroups.config.project import absolute_patterns
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    import queue
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wsgigroups.client.answers import ChangeAnswer, EventAnswer
    from wsgigroups.config.project import Project

_WAIT_S = 25.0  # of one question
_LOOK_S = 0.5  # between two looks at the files of an application that does not start


@dataclass(frozen=True, slots=True)
class Up:
    """It serves."""

    run_dir: Path
    manager_pid: int
    processes: int
    threads: int
    python: str
    user: str | None


@dataclass(frozen=True, slots=True)
class Down:
    """Its processes do not start."""

    message: str
    traceback: str | None


@dataclass(frozen=True, slots=True)
class NotBegun:
    """The manager does not begin with it."""

    error: WsgigroupsError


class Following:
    """Of one manager about one project. Puts (itself, Up | Down | NotBegun | a line of text) into the inbox."""

    def __init__(
        self, run_dir: Path, project: Project, document: dict[str, Any], inbox: queue.SimpleQueue[Any]
    ) -> None:
        self._run_dir = run_dir
        self._client = Client(run_dir)
        self._project = project
        self._document = document
        self._inbox = inbox
        self._over = threading.Event()

    def close(self) -> None:
        """Nobody wants to know more."""
        self._over.set()

    def follow(self, ready: BinaryIO) -> None:
        """Apply the configuration and tell what becomes of it, until the manager ends. ready: of `start_manager`."""
        with ready:
            if not ready.readline().startswith(b"ready"):
                return  # it has ended, which is told elsewhere
        try:
            self._begin()
        except WsgigroupsError as error:
            if error.exit_code is not ExitCode.NO_MANAGER:  # likewise
                self._tell(NotBegun(error))

    def _begin(self) -> None:
        """Apply it; where it does not start, again whenever its files change."""
        patterns = absolute_patterns(self._project)
        before = _state_of(patterns)
        body = {"configuration": self._document, "precondition": None}
        change = self._outcome(begin(self._client, "apply", body, queue=True, overtake=False, until=None)["change"])
        while change is not None and change["outcome"] != "done":
            groups = change["groups"]  # of which one may be the gateway's
            error = groups[self._project.group]["error"] or next(
                (x["error"] for x in groups.values() if x["error"]), None
            )
            self._tell(Down(error["message"], error["traceback"]) if error else Down("nobody knows why", None))
            if not patterns:
                return
            name = {"groups": [self._project.group]}
            self._outcome(self._client.act("stop", name)["change"])  # the same error again and again helps nobody
            while before == (now := _state_of(patterns)):
                if self._over.wait(_LOOK_S):
                    return
            before = now
            self._tell("its files have changed: it is started again")
            change = self._outcome(self._client.act("start", name)["change"])
        self._tell(self._up())
        self._events()

    def _outcome(self, number: int | None) -> ChangeAnswer | None:
        """Return how the change ended; None: there was none to make, as for the manager after one that was killed."""
        if number is None:
            return None
        change = self._client.wait(number, wait_s=_WAIT_S)
        while not change["finished"]:
            change = self._client.wait(number, change["seen"], _WAIT_S)
        return change

    def _up(self) -> Up:
        status = self._client.status()
        group = next(item for item in status["groups"] if item["name"] == self._project.group)
        wanted, threads = group["processes_wanted"], group["threads"]
        return Up(self._run_dir, status["manager"]["pid"], wanted, threads, group["python"], group["user"])

    def _events(self) -> None:
        last = self._client.events("?limit=1")["last"]
        while not self._over.is_set():
            answer = self._client.events(f"?after={max(last, 0)}&limit=100&wait_s={_WAIT_S:g}", _WAIT_S)
            last = answer["last"]
            for event in answer["events"]:
                for line in self._lines(event):
                    self._tell(line)

    def _lines(self, event: EventAnswer) -> Iterator[str]:
        """What is worth a line: processes that ended and were not asked to, and those that are ready then."""
        if event["group"] != self._project.group or event["slot"] is None:
            return
        who = f"{event['group']}/{event['slot']}"
        if event["kind"] == "ready":
            yield f"{who} is ready (pid {event['pid']})"
        elif event["kind"] == "died":
            found = deaths.asked_for(self._client, event["group"], event["slot"], 1)
            yield clean(deaths.sentence(found[-1]) if found else f"{who} ended: {event['text']}")
            error = next(item for item in self._client.status()["groups"] if item["name"] == event["group"])[
                "last_error"
            ]
            where = culprit(error["traceback"], self._project.directory) if error else None
            if where and error and error["life"] == event["life"]:
                yield f"    {clean(where)}"

    def _tell(self, what: Up | Down | NotBegun | str) -> None:
        self._inbox.put((self, what))


def _state_of(patterns: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """What is other when one of the files is."""
    found = {}
    for pattern in patterns:
        for path in glob.iglob(pattern, recursive=True):
            try:
                status = os.stat(path)
            except OSError:
                continue
            found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found
