"""The end of a group's log as a document, and what was added to it since. Runs in another thread of the manager."""

from __future__ import annotations

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.control.closer_documents import LogDocument
from wsgigroups.manager.supervision.log_streams import STREAMS
from wsgigroups.manager.supervision.log_tail import LogEnd
from wsgigroups.trust.walking import judging_root


def document(path: str, after: str) -> LogDocument:
    """Return the lines after a place that was told before; the last ones where it is "", or of another file."""
    if path in STREAMS:
        raise WsgigroupsError(f"cannot show {path}: it is no file")
    end = LogEnd.at(path, judging_root(), after)
    return LogDocument(lines=end.more(), after=end.place)
