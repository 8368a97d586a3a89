"""`replace` for what is replaced after every event: as `dataclasses.replace`, in a third of its time.

That one calls the class anew, and `__init__` of a frozen class sets its fields one by one through Python. An instance
of slots with nothing to do after `__init__` is copied here slot by slot. For type checkers this is
`dataclasses.replace`, so they check the names and the types of what changes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import replace

    Slots = dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]]  # name → what reads and what writes it

__all__ = ["replace"]

_known: dict[type, Slots] = {}  # empty for classes whose instances cannot be copied so


def _slots(kind: type) -> Slots:
    fields = dataclasses.fields(kind)
    if kind.__dictoffset__ or hasattr(kind, "__post_init__") or not all(field.init for field in fields):
        return {}
    members = [(field.name, getattr(kind, field.name)) for field in fields]
    return {name: (member.__get__, member.__set__) for name, member in members}


if not TYPE_CHECKING:

    def replace(instance, /, **changes):
        """Return a copy of a dataclass with these fields changed. Raises TypeError for a field that it has not."""
        kind = type(instance)
        slots = _known.get(kind)
        if slots is None:
            slots = _known[kind] = _slots(kind)
        if not slots:
            return dataclasses.replace(instance, **changes)
        copy = object.__new__(kind)
        for get, put in slots.values():
            put(copy, get(instance))
        for name, value in changes.items():
            if name not in slots:
                raise TypeError(f"{kind.__name__} has no field {name!r}")
            slots[name][1](copy, value)
        return copy
