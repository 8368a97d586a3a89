"""One revision beside the one before it, as a document. Reads the store alone, so that it may run in another thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.differences import differences
from wsgigroups.manager.control.closer_documents import DifferenceDocument, OptionChangeDocument
from wsgigroups.manager.control.documents import RevisionDocument

if TYPE_CHECKING:
    from wsgigroups.manager.store import Store


def document(store: Store, number: int, running: int) -> DifferenceDocument:
    """Return what differs. Raises WsgigroupsError for a revision that is not kept, or cannot be read."""
    row = store.row(number)
    before = store.number_before(number)
    former = store.document(before) if before is not None else {}
    return DifferenceDocument(
        revision=RevisionDocument.model_validate({**row, "running": number == running}),
        before=before,
        changes=[
            OptionChangeDocument(key=item.key, sign=item.sign, old=item.old, new=item.new)
            for item in differences(former, row["document"])
        ],
    )
