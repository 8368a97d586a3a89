"""What a process says of itself on its board, as the status shows it: typed, bounded, made from the table of words.

Pure. Every value on a board is a tenant's word: whatever stands there becomes a number that any reader of JSON keeps.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, create_model

from wsgigroups.runtime.wire.words import BYTES, DURATION, MOMENT, NUMBER, SHOWN, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST = 2**53 - 1  # integers up to here are the same in every reader of JSON (RFC 8259 section 6)
UNITS = {NUMBER: "", BYTES: "bytes", DURATION: "seconds", MOMENT: "seconds"}
ADDED = tuple(word for word in SHOWN if word.unit != MOMENT)  # what a group has, too: the sum over its processes


def _field(word: Word) -> tuple[Any, Any]:
    """The type and the description of one figure."""
    extra: dict[str, Any] = {"x-kind": word.kind}
    if UNITS[word.unit]:
        extra["x-unit"] = UNITS[word.unit]
    kind: Any = {NUMBER: int, BYTES: int, DURATION: float, MOMENT: float | None}[word.unit]
    return kind, Field(description=word.meaning, ge=0, json_schema_extra=extra)


def _model(name: str, words: Iterable[Word]) -> Any:
    fields: Any = {word.key: _field(word) for word in words}
    return create_model(name, __config__=ConfigDict(frozen=True, extra="forbid", defer_build=True), **fields)


class ProcessFigures(_model("_ProcessFigures", SHOWN)):  # type: ignore[misc]  # its fields are a table
    """The figures of one process."""


class GroupFigures(_model("_GroupFigures", ADDED)):  # type: ignore[misc]
    """The figures of a group: the sums over its processes, of counters also over those that have ended."""


def of_process(values: Mapping[str, int], now_ns: int) -> ProcessFigures:
    """The figures of a process. values: words by name, {} for a process without a board; now_ns: monotonic."""
    return ProcessFigures(**{word.key: _shown(word, values.get(word.name, 0), now_ns) for word in SHOWN})


def of_group(processes: Sequence[ProcessFigures], ended: Mapping[str, int] = MappingProxyType({})) -> GroupFigures:
    """Add up what the status has of processes, and what those that have ended have counted: words by name."""
    before = {word.key: _shown(word, ended.get(word.name, 0), 0) or 0 for word in ADDED}
    return GroupFigures(
        **{
            word.key: _total(word, [before[word.key], *(getattr(view, word.key) for view in processes)])
            for word in ADDED
        }
    )


def _total(word: Word, values: Sequence[float]) -> float:
    return round(sum(values), 6) if word.unit == DURATION else min(sum(values), MOST)


def _shown(word: Word, value: int, now_ns: int) -> float | None:
    """One value: integers bounded, durations and ages in seconds; a moment in the future is now, and 0 is never."""
    if word.unit == MOMENT:
        return round(max(0, now_ns - value) / 1e9, 3) if value else None
    if word.unit == DURATION:
        return round(value / 1e9, 6)
    return min(value, MOST)
