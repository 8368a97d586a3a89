"""What processes that have ended have counted, so that the counters of their group never fall. Pure.

Everything read from a board is a tenant's word about itself: what is no sensible number does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.manager.core.deaths import CAUSES
from wsgigroups.metrics.facts import ENDED_BY, ENDED_CPU
from wsgigroups.runtime.wire.words import COUNTER, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_COUNTED = tuple(word.name for word in WORDS if word.kind == COUNTER)
_OURS = (ENDED_CPU, *(f"{ENDED_BY}{cause}" for cause in CAUSES))  # what stands among these words and on no board
_MOST = 2**64 - 1
_SITE = "sites."  # before the key of a site, whose requests are counted beside the words of boards


def counters(values: Mapping[str, Any]) -> dict[str, int]:
    """Take the counters out of the words of a board, by name; those that are 0 are left out."""
    return _named(values, _COUNTED)


def stored(values: Mapping[str, Any]) -> dict[str, int]:
    """Take them out of what was stored of a group, with what the manager itself has counted, and those of sites."""
    return {**_named(values, (*_COUNTED, *_OURS)), **of_sites(sites_in(values))}


def of_end(cause: str, cpu_s: float | None) -> dict[str, int]:
    """Return what the manager counts of one end. cpu_s: of the process; None: not known."""
    return {f"{ENDED_BY}{cause}": 1, **({ENDED_CPU: round(cpu_s * 1e6)} if cpu_s else {})}


def of_sites(requests: Mapping[str, int]) -> dict[str, int]:
    """Return requests by the keys of sites as counts of a group."""
    return _sensible({_SITE + key: value for key, value in requests.items()})


def sites_in(counts: Mapping[str, Any]) -> dict[str, int]:
    """Return the requests by the keys of sites that are among the counts of a group."""
    return _sensible({name[len(_SITE) :]: value for name, value in counts.items() if name.startswith(_SITE)})


def of_these_sites(counts: Mapping[str, int], keys: Iterable[str]) -> dict[str, int]:
    """Return the counts of a group without those of sites that have other keys."""
    requests = sites_in(counts)
    kept = of_sites({key: requests[key] for key in keys if key in requests})
    return {**{name: value for name, value in counts.items() if not name.startswith(_SITE)}, **kept}


def _named(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, int]:
    return _sensible({name: values.get(name) for name in names})


def _sensible(values: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in values.items() if type(value) is int and 0 < value <= _MOST}


def added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """Return the sums."""
    return {name: min(first.get(name, 0) + second.get(name, 0), _MOST) for name in {**first, **second}}
