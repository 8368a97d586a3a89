"""What an importer makes: a document in the making, and what became of each setting of the other program. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from wsgigroups.config.diagnostics import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Place = tuple[str | int, ...]  # where a table or an option is in the document
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 64
_RESERVED = ("manager", "gateway")


class Fidelity(str, Enum):
    """What became of a setting."""

    KEPT = "kept"
    APPROXIMATED = "approximated"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class ForeignSetting:
    """One setting as the other program has it. what: its text, shortened; file, line: its place, "" and 0 for none."""

    what: str
    file: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """As `file:line`; the file alone where there is no line."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Gap:
    """One line of the gap report. option: what it has become, "" for nothing; sentence: "" where it was kept."""

    verdict: Fidelity
    setting: ForeignSetting
    option: str = ""
    sentence: str = ""


@dataclass(slots=True)
class Draft:
    """A document that grows. comments: place of an option or table → what it comes from."""

    document: dict[str, Any] = field(default_factory=lambda: {"version": 1})
    comments: dict[Place, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)

    def table(self, place: Place) -> dict[str, Any]:
        """Return the table at this place, which is made where there is none."""
        inner: Any = self.document
        for part in place:
            inner = inner[part] if isinstance(part, int) else inner.setdefault(part, {})
        found: dict[str, Any] = inner
        return found

    def put(self, place: Place, option: str, value: Any, setting: ForeignSetting, sentence: str = "") -> None:
        """Set an option. With a sentence it is only approximately what the setting was, and the sentence says how."""
        table = self.table(place)
        here = (*place, option)
        if isinstance(value, dict) and isinstance(table.get(option), dict):
            table[option] = {**table[option], **value}
        else:
            table[option] = value
            self.comments[here] = setting.what
        self.note(here, setting, sentence)

    def note(self, place: Place, setting: ForeignSetting, sentence: str = "") -> None:
        """Say what a setting has become, where something else has put it there."""
        verdict = Fidelity.APPROXIMATED if sentence else Fidelity.KEPT
        self.gaps.append(Gap(verdict, setting, path_text(place), sentence))

    def default(self, place: Place, option: str, value: Any, comment: str) -> None:
        """Set what the other program does where nobody has said anything, unless it is set."""
        table = self.table(place)
        if option not in table:
            here = (*place, option)
            table[option] = value
            self.comments[here] = comment

    def append(self, place: Place, repeated: str, comment: str) -> Place:
        """Add a table to a list of tables, and return its place."""
        items = self.table(place).setdefault(repeated, [])
        items.append({})
        there = (*place, repeated, len(items) - 1)
        self.comments[there] = comment
        return there

    def needless(self, setting: ForeignSetting) -> None:
        """Note a setting that is kept by doing nothing: it is always so here."""
        self.gaps.append(Gap(Fidelity.KEPT, setting))

    def drop(self, setting: ForeignSetting, sentence: str) -> None:
        """Note a setting that nothing here stands for."""
        self.gaps.append(Gap(Fidelity.DROPPED, setting, "", sentence))

    def group_names(self) -> set[str]:
        """All names of groups."""
        return {str(place[-1]) for place in self.groups()}

    def groups(self) -> Iterator[Place]:
        """The places of all groups."""
        for name in self.document.get("groups", {}):
            yield ("groups", name)
        for site, table in self.document.get("sites", {}).items():
            for name in table.get("groups", {}):
                yield ("sites", site, "groups", name)

    def new_name(self, wanted: str) -> str:
        """A name that a group can have and that none has yet, as near to the wanted one as possible."""
        base = _NOT_IN_NAMES.sub("-", wanted).strip("._-")[:_LONGEST_NAME] or "application"
        taken = {*self.group_names(), *_RESERVED}
        name, number = base, 2
        while name in taken:
            name, number = f"{base[: _LONGEST_NAME - 4]}-{number}", number + 1
        return name

    def of(self, verdict: Fidelity) -> list[Gap]:
        """The gaps of one verdict by their places, each setting once, though it went to several options."""
        found = {(gap.setting, gap.sentence): gap for gap in reversed(self.gaps) if gap.verdict is verdict}
        return sorted(found.values(), key=lambda gap: (gap.setting.file, gap.setting.line))


def one_line(text: str, longest: int = 100) -> str:
    """A text on one line, with its end left out where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def merged(*tables: Mapping[str, str]) -> dict[str, str]:
    """Tables of variables in one; later ones win."""
    return {key: value for table in tables for key, value in table.items()}
