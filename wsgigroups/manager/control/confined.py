"""Confinement as the status shows it: what a group asks for, and what became of it in a process. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.manager.control.documents import ConfinementDocument
from wsgigroups.runtime.wire.spec import Confinement

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_REASON = 200


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
