"""Events of the journal as a document. Pure."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from wsgigroups.manager import journal
from wsgigroups.manager.control.documents import EventDocument, EventsDocument

if TYPE_CHECKING:
    from collections.abc import Collection

    from wsgigroups.manager.control.requests import EventsQuery


def document(
    kept: journal.Journal, query: EventsQuery, groups: Collection[str] | None = None, *, audit: bool = True
) -> EventsDocument:
    """Return the events that are asked for, of those that the caller may see, as `journal.chosen` has it."""
    found = journal.chosen(
        kept.entries,
        after=query.after,
        since=query.since,
        group=query.group,
        limit=query.limit,
        groups=groups,
        audit=audit,
    )
    return EventsDocument(events=[_event(entry) for entry in found], last=kept.last)


def of_entries(entries: list[journal.Entry]) -> EventsDocument:
    """Return events that were read from the files."""
    return EventsDocument(events=[_event(entry) for entry in entries], last=entries[-1].number if entries else 0)


def _event(entry: journal.Entry) -> EventDocument:
    at = datetime.fromtimestamp(entry.at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return EventDocument(number=entry.number, at=at, **asdict(entry.happening))
