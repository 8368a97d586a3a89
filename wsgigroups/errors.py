"""Exit codes and the one error that commands show to people.

Runs in the command line and in the manager. Codes are never reused; `docs/exit-codes.md` lists them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What a command tells the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    NO_SUCH_GROUP = 4
    NOT_PERMITTED = 5
    NO_MANAGER = 6
    TIMED_OUT = 7
    ROLLED_BACK = 8


class WsgigroupsError(Exception):
    """A failure that has a sentence for people, a way out and an exit code.

    `message` begins with "cannot …" and names the value; `hint` says what to do next.
    """

    def __init__(self, message: str, *, hint: str | None = None, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class MovedError(WsgigroupsError):
    """The world is not the one that a plan was made against. moved: a sentence for each thing."""

    def __init__(self, moved: tuple[str, ...]) -> None:
        more = f" (and {len(moved) - 3} more)" if len(moved) > 3 else ""
        super().__init__(
            f"cannot apply this plan, it was made for another state: {'; '.join(moved[:3])}{more}",
            hint="nothing was changed; make the plan anew",
        )
        self.moved = moved


class BusyError(WsgigroupsError):
    """Another apply goes on. holder: what is known of it, as manager.control.documents.HolderDocument has it."""

    def __init__(self, message: str, holder: dict[str, Any], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder
