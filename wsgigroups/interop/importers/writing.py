"""A draft as a commented file in TOML, and the gap report as text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.config.show import toml_key, toml_value
from wsgigroups.interop.importers.draft import Fidelity, one_line
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.interop.importers.draft import Draft, Place

_COMMENTS_AT = 44
_LONGEST_LINE = 120
_ORDER = ("server", "gateway", "defaults", "groups", "sites")
_TABLES = ("groups", "sites", "mounts", "static", "rollout")
_TITLES = {
    Fidelity.APPROXIMATED: "Not quite the same:",
    Fidelity.DROPPED: "Not taken over:",
}


def write(draft: Draft, kind: str, names: tuple[str, ...]) -> str:
    """Return the text of a groups file. names: of what was read, for its first line."""
    lines = [f"# Imported from {kind}: {_comment(', '.join(names), 200)}"]
    lines += ["#", "#   wsgigroups validate FILE      every mistake, with its place"]
    lines += ["#   wsgigroups plan FILE          what apply would do"]
    lines += ["#   wsgigroups explain KEY        what an option means"]
    for verdict, title in _TITLES.items():
        gaps = draft.of(verdict)
        if gaps:
            lines += ["#", f"# {title}"]
            lines += [f"#   {_gap_line(gap.setting.where, gap.setting.what, gap.sentence)}" for gap in gaps]
    lines += ["version = 1"]
    for name in _ORDER:
        if name in draft.document:
            lines += _tables(draft, (name,), draft.document[name], named=name in ("groups", "sites"))
    return "\n".join(lines) + "\n"


def report(draft: Draft) -> str:
    """Return the gap report: how much was kept, and each setting that was not, with its sentence."""
    kept = len(draft.of(Fidelity.KEPT))
    approximated, dropped = draft.of(Fidelity.APPROXIMATED), draft.of(Fidelity.DROPPED)
    lines = [
        f"{gap.verdict.value}: {_gap_line(gap.setting.where, gap.setting.what, gap.sentence)}"
        for gap in (*approximated, *dropped)
    ]
    lines.append(f"{kept} kept, {len(approximated)} approximated, {len(dropped)} dropped")
    return "\n".join(lines)


def _gap_line(where: str, what: str, sentence: str) -> str:
    return f"{_comment(where, 200)}{': ' if where else ''}{_comment(what, 100)}: {_comment(sentence, 400)}"


def _tables(draft: Draft, place: Place, value: Any, *, named: bool) -> Iterator[str]:
    if named:
        for name, table in value.items():
            yield from _tables(draft, (*place, name), table, named=False)
        return
    yield ""
    comment = draft.comments.get(place)
    if comment:
        yield f"# {_comment(comment)}"
    yield _header(place)
    for key, item in value.items():
        if key not in _TABLES:
            yield _option(key, item, draft.comments.get((*place, key), ""))
    for key in _TABLES:
        inner = value.get(key)
        if isinstance(inner, list):
            for number, table in enumerate(inner):
                yield from _tables(draft, (*place, key, number), table, named=False)
        elif inner:
            yield from _tables(draft, (*place, key), inner, named=key == "groups")


def _header(place: Place) -> str:
    names = ".".join(toml_key(part) for part in place if isinstance(part, str))
    return f"[[{names}]]" if isinstance(place[-1], int) else f"[{names}]"


def _option(key: str, value: Any, comment: str) -> str:
    text = f"{toml_key(key)} = {toml_value(value)}"
    if isinstance(value, dict) and len(text) > _LONGEST_LINE:
        # dotted keys say the same on lines of their own
        entries = (f"{toml_key(key)}.{toml_key(name)} = {toml_value(item)}" for name, item in value.items())
        text = "\n".join(entries)
        return f"# {_comment(comment)}\n{text}" if comment else text
    if not comment:
        return text
    aligned = f"{text:<{_COMMENTS_AT - 1}} # {_comment(comment)}"
    return aligned if len(aligned) <= _LONGEST_LINE else f"# {_comment(comment)}\n{text}"


def _comment(text: str, longest: int = 100) -> str:
    return clean(one_line(text, longest))
