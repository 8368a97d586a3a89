"""Whose connections end when all places are taken and somebody waits. Pure; for the leader.

Who only waits between two requests, or reads our last word, loses nothing that was begun. After those come requests
that have not arrived yet, the slowest first. In both an address that has more than its share comes first, so that one
client cannot take the places of all others; what a trusted proxy or a UNIX socket brings is many clients'.
"""

from __future__ import annotations

import collections
from typing import Dict, Iterable, List, Tuple

from .connection import BODY, HEAD, IDLE, LINGERING, Connection
from .timing import SECOND_NS

SHARE = 4  # an address with more than that part of all places is crowded
_YOUNG_NS = SECOND_NS  # nothing can be said yet of how fast a request comes that began later
PART = 16  # of all places, ended at once


def to_end(connections: Iterable[Connection], most: int, now_ns: int) -> List[Connection]:
    """Return those that are to end, of all that nobody owns; most: how many places there are. Perhaps none."""
    free = [item for item in connections if not item.owned]
    counts: Dict[str, int] = collections.Counter(item.peer for item in free if not (item.unix or item.trusted))
    crowded = {peer for peer, count in counts.items() if count > most // SHARE}

    def rank(item: Connection) -> Tuple[bool, bool, float]:
        begun = item.state in (HEAD, BODY)
        return begun, item.peer not in crowded, _speed(item, now_ns) if begun else item.deadline_ns

    ended = [item for item in free if _only_waits(item, now_ns) or _is_slow(item, now_ns)]
    ended.sort(key=rank)
    return ended[: max(1, most // PART)]


def _only_waits(item: Connection, now_ns: int) -> bool:
    """Whether nothing is begun. The first request of a connection that is young may be on its way."""
    if item.state == IDLE:
        return item.begun or now_ns - item.begun_ns >= _YOUNG_NS
    return item.state == LINGERING


def _is_slow(item: Connection, now_ns: int) -> bool:
    return item.state in (HEAD, BODY) and now_ns - _since_ns(item) >= _YOUNG_NS


def _since_ns(item: Connection) -> int:
    return item.since_ns if item.state == BODY else item.begun_ns


def _speed(item: Connection, now_ns: int) -> float:
    """Bytes a nanosecond, since the head or the body began."""
    size = item.received_bytes if item.state == BODY else len(item.data)
    return size / max(1, now_ns - _since_ns(item))
