"""Confinement of a group: from the words of the configuration to numbers, and from a process's report to the status.

Pure, but for the name of the machine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wsgigroups.config.kernel_names import NAMESPACES, SERVING, address_families, expanded, system_calls
from wsgigroups.manager.documents import ConfinementDocument
from wsgigroups.runtime.wire.spec import Confinement, Filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsgigroups.config import Group

_LONGEST_REASON = 200


def confinement_of(group: Group) -> Confinement:
    """What a group's processes are to give up."""
    inverted, families = _inverted(group.restrict_address_families)
    numbers = tuple(sorted(address_families()[name] for name in families if name != "none"))
    return Confinement(
        required=group.confinement == "required",
        read_only_paths=group.read_only_paths,
        read_write_paths=group.read_write_paths,
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


def requested(wanted: Confinement, options: Mapping[str, str]) -> dict[str, str]:
    """The options of confinement that a group sets, as text. options: all of the group's as text."""
    asked = {
        name: options.get(name, "")
        for name, attribute in _ATTRIBUTES.items()
        if getattr(wanted, attribute) != _DEFAULTS[attribute]
    }
    return {"confinement": "required" if wanted.required else "best-effort", **asked} if asked else {}


_ATTRIBUTES = {
    "read-only-paths": "read_only_paths",
    "read-write-paths": "read_write_paths",
    "inaccessible-paths": "inaccessible_paths",
    "protect-home": "protect_home",
    "protect-system": "protect_system",
    "protect-proc": "protect_proc",
    "private-tmp": "private_tmp",
    "private-devices": "private_devices",
    "restrict-address-families": "address_families",
    "system-call-filter": "system_calls",
    "restrict-namespaces": "namespaces",
}
_DEFAULTS = {attribute: getattr(Confinement(), attribute) for attribute in _ATTRIBUTES.values()}


def effective(asked: Mapping[str, str], reported: Mapping[str, Any] | None) -> dict[str, ConfinementDocument]:
    """What became of each option in one process. The report is a tenant's word, so only what it can mean is taken."""
    found = {}
    for name in asked:
        if name in ("confinement", "read-write-paths") and name not in (reported or {}):
            continue
        match (reported or {}).get(name):
            case [("enforced" | "partly" | "missing") as state, str(reason)]:
                found[name] = ConfinementDocument(state=state, reason=_clean(reason))
            case _:  # it is on its way up, or came up under an earlier manager
                found[name] = ConfinementDocument(state="unknown", reason="")
    return found


def _clean(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST_REASON])
