"""Which interpreter and which directory a set-up uses: pure decisions over facts that `tools.facts` gathered.

As root the daemons run as another account, so both the interpreter and the directory must be ones that this account can
enter. What cannot be decided raises SetUpError with a sentence for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OLDEST = (3, 10)
LONGEST_PLACE_BYTES = 60  # a UNIX socket's path has 107 bytes (unix(7)); the rest is for run directory and socket name


class SetUpError(Exception):
    """The set-up cannot go on; the text is a whole message for people."""


@dataclass(frozen=True)
class Interpreter:
    """What came of asking one Python, as the account that daemons will run as, who it is."""

    path: str
    runs: bool  # the account can execute it and it finds its own library
    version: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()  # modules of the standard library that the set-up needs and this one lacks
    reason: str = ""  # why it does not run, as the system put it


@dataclass(frozen=True)
class Place:
    """A directory where environment, copies and run directory could lie."""

    path: str
    writable: bool  # by the caller, created where it is missing
    enterable: bool  # by the account that daemons will run as
    trusted: bool  # nobody but the caller (and root) can exchange one of its parents


def choose_interpreter(found: Sequence[Interpreter], account: str) -> Interpreter:
    """Return the first interpreter of `found` that is new enough and complete; raise SetUpError with what was seen."""
    for interpreter in found:
        if judge_interpreter(interpreter) is None:
            return interpreter
    seen = "\n".join(f"  {item.path}: {judge_interpreter(item)}" for item in found) or "  none at all"
    raise SetUpError(
        f"cannot find a Python that is {dotted(OLDEST)} or newer, complete, and executable by user {account!r}.\n"
        f"Seen:\n{seen}\n"
        "Install one outside of home directories (Debian, Ubuntu: apt-get install python3 python3-venv), or name one: "
        "make PYTHON=/path/to/python3 …"
    )


def judge_interpreter(interpreter: Interpreter) -> str | None:
    """Return None when the interpreter will do, else why not."""
    if not interpreter.runs:
        return f"this user cannot run it ({interpreter.reason})"
    if interpreter.version < OLDEST:
        return f"is {dotted(interpreter.version)}, older than {dotted(OLDEST)}"
    if interpreter.missing:
        return f"is {dotted(interpreter.version)}, but lacks {', '.join(interpreter.missing)}"
    return None


def lacks_only_packages(found: Sequence[Interpreter], path: str) -> bool:
    """Tell whether the distribution's own Python at `path` is absent, or merely incomplete: a package can mend that."""
    known = {interpreter.path: interpreter for interpreter in found}.get(path)
    return known is None or (known.runs and bool(known.missing))


def choose_place(candidates: Iterable[Place], account: str) -> Place:
    """Return the first place that will do and look no further; raise SetUpError with the reason against each."""
    rejected = []
    for place in candidates:
        reason = judge_place(place)
        if reason is None:
            return place
        rejected.append(f"  {place.path}: {reason}")
    seen = "\n".join(rejected)
    raise SetUpError(
        f"cannot find a directory for the environment that user {account!r} can enter.\nSeen:\n{seen}\n"
        "Name one: make WSGIGROUPS_BUILD_DIR=/some/short/path …"
    )


def judge_place(place: Place) -> str | None:
    """Return None when the place will do, else why not."""
    if len(place.path.encode()) > LONGEST_PLACE_BYTES:
        return f"is longer than {LONGEST_PLACE_BYTES} bytes, too long for the UNIX sockets below it"
    if not place.writable:
        return "cannot be written"
    if not place.enterable:
        return "lies below a directory that this user cannot enter"
    if not place.trusted:
        return "lies below a directory that another user can change"
    return None


def dotted(version: Sequence[int]) -> str:
    """Return a version the way people write it."""
    return ".".join(str(part) for part in version)
