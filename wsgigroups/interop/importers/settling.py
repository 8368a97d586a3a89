"""The last look at a draft: what `validate` would refuse is taken out again, and said. Pure.

An importer translates; whether a value can be had here is decided in one place, by the checks that `validate` runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.config.codes import severity_of
from wsgigroups.config.diagnostics import Severity, path_text
from wsgigroups.interop.importers.draft import Fidelity, ForeignSetting, Gap

if TYPE_CHECKING:
    from wsgigroups.config.diagnostics import Finding
    from wsgigroups.interop.importers.draft import Draft, Place

_MOST_ROUNDS = 200  # each takes out at least one thing that was refused


def settle(draft: Draft, directory: str) -> None:
    """Take out of the draft what is refused. directory: where the file is going to be."""
    for _round in range(_MOST_ROUNDS):
        refused = _refused(draft, directory)
        if not refused:
            return
        # from the back, so that places in lists before it stay what they are
        for finding in sorted(refused, key=lambda item: [str(part).zfill(6) for part in item.path], reverse=True):
            _take_out(draft, finding)


def _refused(draft: Draft, directory: str) -> list[Finding]:
    # pydantic's models cost their import only where something is imported
    from wsgigroups.config.build import build
    from wsgigroups.config.normalise import Normaliser

    normaliser = Normaliser(directory, {})
    clean = normaliser.document(draft.document)
    found = normaliser.findings or build(clean).findings
    return [item for item in found if severity_of(item.code) is Severity.ERROR]


def _take_out(draft: Draft, finding: Finding) -> None:
    """Remove the option that was refused, or the table."""
    place = _existing(draft.document, finding.path)
    if not place:
        return
    holder: Any = draft.document
    for part in place[:-1]:
        holder = holder[part]
    del holder[place[-1]]
    setting = ForeignSetting(draft.comments.get(place) or path_text(place))
    named = path_text(place)
    of_this = [gap for gap in draft.gaps if gap.option == named]
    draft.gaps = [gap for gap in draft.gaps if gap.option != named]
    sentence = finding.message + (f" ({finding.hint})" if finding.hint else "")
    for one in [gap.setting for gap in of_this] or [setting]:
        draft.gaps.append(Gap(Fidelity.DROPPED, one, "", sentence))
    if isinstance(place[-1], int):
        _move_comments(draft, place)


def _existing(document: Any, path: Place) -> Place:
    """The part of a path that is in the document, down to an option: values in lists are not taken out alone."""
    place: Place = ()
    holder = document
    for part in path:
        inside = isinstance(holder, dict) and part in holder
        inside = inside or (isinstance(holder, list) and isinstance(part, int) and part < len(holder))
        if not inside:
            break
        following = holder[part]
        if isinstance(holder, list) and not isinstance(following, dict):
            break
        place, holder = (*place, part), following
    return place


def _move_comments(draft: Draft, gone: Place) -> None:
    """Comments of the tables behind one that was taken out of a list go with them."""
    start, number = gone[:-1], gone[-1]
    moved: dict[Place, str] = {}
    for place, text in draft.comments.items():
        at = place[len(start)] if len(place) > len(start) and place[: len(start)] == start else None
        if not isinstance(at, int) or not isinstance(number, int) or at < number:
            moved[place] = text
        elif at > number:
            there = (*start, at - 1, *place[len(start) + 1 :])
            moved[there] = text
    draft.comments = moved
