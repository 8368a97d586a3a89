"""Groups and processes as people name them: GROUP, GROUP/SLOT, and patterns of a shell.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SIGNS = "*?["


def is_pattern(name: str) -> bool:
    """Whether it stands for any number of groups, as in a shell: `*`, `?` and `[…]`."""
    return any(sign in name for sign in _SIGNS)


def spread(names: Iterable[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Return the names with a name of a group in the place of each pattern; slots behind a pattern stay.

    The gateway is named by its name alone. Raises WsgigroupsError (4) for a pattern that no group matches.
    """
    found: list[str] = []
    for name in names:
        pattern, slash, slot = name.partition("/")
        if not is_pattern(pattern) or pattern in groups:
            found.append(name)
            continue
        matches = [group for group in groups if not group.startswith("@") and fnmatchcase(group, pattern)]
        if not matches:
            known = ", ".join(groups) or "none"
            raise WsgigroupsError(
                f"cannot find a group that matches {pattern!r}",
                hint=f"groups here: {known}",
                exit_code=ExitCode.NO_SUCH_GROUP,
            )
        found += [f"{group}{slash}{slot}" for group in matches]
    return tuple(dict.fromkeys(found))


@dataclass(slots=True)
class NamedPart:
    """What is named of one group."""

    whole: bool = False
    slots: set[int] = field(default_factory=set)


def split(names: Iterable[str]) -> dict[str, NamedPart]:
    """Return what is named of each group. Raises click.UsageError."""
    found: dict[str, NamedPart] = {}
    for text in names:
        name, slash, slot = text.partition("/")
        if slash and not (slot.isascii() and slot.isdigit()):
            raise click.UsageError(f"cannot read {text!r}: write GROUP or GROUP/SLOT.")
        part = found.setdefault(name, NamedPart())
        if slash:
            part.slots.add(int(slot))
        else:
            part.whole = True
    return found
