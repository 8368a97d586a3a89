"""A manager of another version than the command: what it does not know, or does not say, is nobody's mistake.

Standard library only, so that commands start fast.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from wsgigroups import __version__
from wsgigroups.errors import WsgigroupsError

_HINT = (
    "`wsgigroups upgrade` has the installed version take over; where the manager is too old to know that, "
    "`kill -9` it (manager.lock in the run directory has its pid) and apply: what runs serves on and is adopted"
)


class OtherVersionError(WsgigroupsError, KeyError):
    """The manager cannot be understood, or does not understand: a KeyError, too, for whoever can do without."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}: it is of another version than this command ({__version__})", hint=_HINT)


def is_unknown_call(method: str, content: bytes) -> bool:
    """Whether a manager's refusal says that it has no such route; a route that finds nothing has words for that."""
    try:
        return str(json.loads(content)["error"]).startswith(f"cannot {method} ")
    except (ValueError, KeyError, TypeError):
        return True  # none of its documents


class PartialAnswer(dict[str, Any]):
    """An object of an answer, which may be without what this version reads."""

    def __missing__(self, name: str) -> NoReturn:
        raise OtherVersionError(f"cannot understand the manager, whose answer has no {name!r}")
