"""Confinement of a group: from the words of the configuration to numbers.

Pure, but for the name of the machine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wsgigroups.config.kernel_names import NAMESPACES, SERVING, address_families, expanded, system_calls
from wsgigroups.runtime.wire.spec import Confinement, Filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config import Group


def confinement_of(group: Group, counting: str = "") -> Confinement:
    """What a group's processes are to give up. counting: the directory in which they count, "" for none."""
    writable = (counting,) if counting and (group.read_only_paths or group.protect_system == "strict") else ()
    inverted, families = _inverted(group.restrict_address_families)
    numbers = tuple(sorted(address_families()[name] for name in families if name != "none"))
    return Confinement(
        required=group.confinement == "required",
        read_only_paths=group.read_only_paths,
        read_write_paths=(*group.read_write_paths, *writable),
        inaccessible_paths=group.inaccessible_paths,
        protect_home=group.protect_home,
        protect_system=group.protect_system,
        protect_proc=group.protect_proc,
        private_tmp=group.private_tmp,
        private_devices=group.private_devices,
        address_families=Filter(numbers, not inverted) if families else None,
        system_calls=_system_calls(group),
        namespaces=_namespaces(group.restrict_namespaces),
    )


def _inverted(items: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether the list means all but its items, and these without the ~."""
    if items and items[0].startswith("~"):
        return True, [items[0][1:], *items[1:]]
    return False, list(items)


def _system_calls(group: Group) -> Filter | None:
    inverted, items = _inverted(group.system_call_filter)
    if not items:
        return None
    known = system_calls(os.uname().machine)
    # On another machine there is no filter at all, and the process says so, or does not start.
    wanted = expanded(items) if inverted else expanded([*items, *SERVING.split()])
    return Filter(tuple(sorted(known[name] for name in wanted if name in known)), not inverted)


def _namespaces(items: Sequence[str]) -> int:
    inverted, named = _inverted(items)
    if not named:
        return 0
    refused = named if inverted else NAMESPACES.keys() - named
    return sum(NAMESPACES[name] for name in refused)
