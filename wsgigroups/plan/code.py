"""New code as a reason to replace processes. Pure.

Code is compared part by part, and only where both sides are known: what nobody has looked at is no change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.plan.desired import GroupTarget
    from wsgigroups.plan.observed import ObservedGroup

NAMED_FILES = 5
_APPLICATION = "application"  # the option
_OF_APPLICATION = ("application", "script")  # parts that are other files, and no new ones, where that is another

Files = Mapping[str, str]  # name → digest of the content
FilesOf = Callable[[str], "Files | None"]  # what a part with this digest consisted of; None: it is not known any more


@dataclass(frozen=True, slots=True)
class CodeChange:
    """What of a group's code is new. files: the first names; more: how many others; parts: where that is."""

    parts: tuple[str, ...]
    old: str
    new: str
    files: tuple[str, ...]
    more: int


def code_of(info: Mapping[str, object]) -> dict[str, str]:
    """Return the code that was kept with a process: by a manager of an earlier version, nothing."""
    said = info.get("code")
    return {str(part): str(digest) for part, digest in said.items()} if isinstance(said, dict) else {}


def nothing_known(_digest: str) -> Files | None:
    """What is known of parts where nobody has kept their files."""
    return None


def code_change(target: GroupTarget, group: ObservedGroup, files_of: FilesOf) -> CodeChange | None:
    """Return what is new for the processes that run, or would be started; None if that is nothing."""
    if group.stopped:
        return None
    before = group.options.get(_APPLICATION)
    another = before is not None and before != target.options.get(_APPLICATION)
    pairs = sorted(
        {
            (part, code[part], target.code[part])
            for code, same in _running(target, group, another=another)
            for part in code.keys() & target.code.keys()
            if code[part] != target.code[part] and (same or not part.startswith(_OF_APPLICATION))
        }
    )
    if not pairs:
        return None
    names: dict[str, None] = {}
    for _part, old, new in pairs:
        were, are = files_of(old), files_of(new)
        if were is not None and are is not None:
            names |= dict.fromkeys(changed_files(were, are))
    ordered = sorted(names)
    return CodeChange(
        tuple(dict.fromkeys(part for part, _old, _new in pairs)),
        pairs[0][1][:12],
        pairs[0][2][:12],
        tuple(ordered[:NAMED_FILES]),
        max(0, len(ordered) - NAMED_FILES),
    )


def _running(target: GroupTarget, group: ObservedGroup, *, another: bool) -> list[tuple[Mapping[str, str], bool]]:
    """The code of the processes that would stay, each with whether it is of the application that the target has.

    A process of neither what is in force nor what is asked for is replaced whatever its code is: a change to what is in
    force is on its way, or paused.
    """
    staying = [
        (member.code or group.code, not another or member.fingerprint == target.fingerprint != group.fingerprint)
        for member in group.members
        if member.fingerprint in (group.fingerprint, target.fingerprint)
    ]
    return staying or [(group.code, not another)]


def changed_files(before: Files, after: Files) -> list[str]:
    """Return the names of what was changed, added or removed."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
