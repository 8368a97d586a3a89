"""The working directory of a group's processes, and what its default gives way to. Looks at the host only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.host.interpreters import can_execute

if TYPE_CHECKING:
    from wsgigroups.config import Group
    from wsgigroups.targets.identity import Person
    from wsgigroups.targets.once import Once


def home_of(group: Group, person: Person, cwd: Path, once: Once, *, root: bool) -> tuple[str, str]:
    """Return the directory, in the group's root directory, and a notice where the default cannot be had.

    A home that is written is taken as it is. cwd: of the manager when it started.
    """
    if group.home:
        return str(group.home), ""
    if not root:
        return str(cwd), ""
    jail = str(group.chroot) if group.chroot else ""
    if group.user and person.home:
        default, whose = person.home, "the home directory of its user"
    else:
        default, whose = str(cwd), "where the manager was started"
    place = Path(f"{jail}{default}")
    who = (person.uid, person.gid, person.groups)
    is_there = once.of(("is a directory", place), place.is_dir)
    if is_there and once.of(("enters", place, who), lambda: can_execute(place, *who)) is True:
        return default, ""
    inside = f" in {jail}" if jail else ""
    problem = f"{person.user_name} cannot enter {default}" if is_there else f"there is no directory {default}"
    return "/", f"home is /: {problem}{inside}, {whose}"
