"""What whoever started the manager hears of it: one line, once it is up, or when it cannot come up.

Written by the manager's main thread, read by the command that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass

from wsgigroups.errors import ExitCode, WsgigroupsError

_READY = b"ready"


class AwaitedStart:
    """Who started the manager waits for a line on this descriptor; nobody where it is None. The first is the last."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def tell_ready(self) -> None:
        """The control API answers."""
        self._tell(_READY)

    def tell_failed(self, error: WsgigroupsError, *, runs: bool) -> None:
        """The manager does not come up. runs: because another one does."""
        answer = {"error": error.message, "hint": error.hint, "exit_code": int(error.exit_code), "runs": runs}
        self._tell(json.dumps(answer).encode())

    def _tell(self, line: bytes) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # who has left hears nothing
                os.write(fd, line + b"\n")
                os.close(fd)


@dataclass(frozen=True, slots=True)
class StartOutcome:
    """What became of a start. error: as the manager has it, None where it did not say; runs: another one does."""

    ready: bool
    error: WsgigroupsError | None = None
    runs: bool = False


def heard(line: bytes) -> StartOutcome:
    """Read the line; what is none of ours is a manager that said nothing."""
    if line.startswith(_READY):
        return StartOutcome(ready=True)
    try:
        answer = json.loads(line)
        error = WsgigroupsError(answer["error"], hint=answer["hint"], exit_code=ExitCode(answer["exit_code"]))
        return StartOutcome(ready=False, error=error, runs=bool(answer["runs"]))
    except (ValueError, KeyError, TypeError):
        return StartOutcome(ready=False)
