"""What processes that have ended have counted, so that the counters of their group never fall. Pure.

Everything read from a board is a tenant's word about itself: what is no sensible number does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.runtime.wire.words import COUNTER, WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

_COUNTED = tuple(word.name for word in WORDS if word.kind == COUNTER)
_MOST = 2**64 - 1


def counters(values: Mapping[str, Any]) -> dict[str, int]:
    """Take the counters out of the words of a board, by name; those that are 0 are left out."""
    found = {name: values.get(name) for name in _COUNTED}
    return {name: value for name, value in found.items() if type(value) is int and 0 < value <= _MOST}


def added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """Return the sums."""
    return {name: min(first.get(name, 0) + second.get(name, 0), _MOST) for name in {**first, **second}}
