"""One project's files put beside what runs of others: what came from them is replaced, everything else is as it is.

Pure. Documents are those of `Configuration.to_document`, files absolute paths. All errors name the files of both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from wsgigroups.config.compose import Layer
from wsgigroups.config.normalise import Normaliser
from wsgigroups.config.owners import SHARED_TABLES, TABLES, Owners, by_file, owners_of
from wsgigroups.config.source import Source
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config.compose import Composed

_NOUNS = {"groups": "group", "sites": "site"}


def rest_of(running: Mapping[str, Any], files: Collection[str]) -> dict[str, Any]:
    """Return what runs without what came from these files. Raises WsgigroupsError (usage) for what is in others too."""
    owners, left = Owners.read(running), dict(running)
    for kind, of_each in (("groups", owners.groups), ("sites", owners.sites)):
        left[kind] = {}
        for name, table in running.get(kind, {}).items():
            its = of_each.get(name, ())
            others = [file for file in its if file not in files]
            if others and len(others) < len(its):
                raise _refused(
                    f"{_NOUNS[kind]} {name!r} is in {_named(files)} and in {_named(others)}",
                    "apply these files together",
                )
            if others or not its:
                left[kind][name] = table
    return left


def layers_beside(running: Mapping[str, Any], written: Sequence[Layer], given: Collection[str]) -> list[Layer]:
    """Return layers of what runs besides some files: they are put behind those of the files. given: as named, absolute.

    What the files write of tables that hold for everybody is left out of them: `merged` compares it with what runs.
    Raises WsgigroupsError (usage) for a group or a site of the files that is another's.
    """
    owners = Owners.read(running)
    files = files_of(running, written, given)
    rest = rest_of(running, files)
    for kind in _NOUNS:
        _refuse_clash(rest, kind, {name for layer in written for name in layer.data.get(kind, {})}, files)
    shared = {**{name: rest.pop(name, {}) for name in SHARED_TABLES}, "defaults": owners.defaults}
    layers = [_layer(file, part) for file, part in by_file(rest).items()]
    for name in TABLES:
        its = owners.tables.get(name, ())
        if shared[name] and not (its and set(its) <= files):
            table = shared[name]
            for layer in written:
                table = _without(table, layer.data.get(name, {}))
            layers.append(_layer(its[0] if its else "", {name: table}))
    return layers


def files_of(running: Mapping[str, Any], written: Sequence[Layer], given: Collection[str]) -> frozenset[str]:
    """Return the files that are applied: those that were read, and those that what is named has stood for before."""
    return Owners.read(running).meant_by(given) | {layer.source.path for layer in written if layer.source.path}


def part_of(document: Mapping[str, Any], composed: Composed) -> dict[str, Any]:
    """Return what files contribute to the document that was composed of them and of `layers_beside`."""
    mine = [layer.data for layer in composed.layers if layer.source.path]
    part = {name: value for name, value in document.items() if name not in (*_NOUNS, "owners")}
    for kind in _NOUNS:
        names = {name for data in mine for name in data.get(kind, {})}
        part[kind] = {name: table for name, table in document.get(kind, {}).items() if name in names}
    return {**part, "owners": owners_of(composed).to_document()}


def merged(running: Mapping[str, Any], part: Mapping[str, Any], files: Collection[str]) -> dict[str, Any]:
    """Return what runs with what came from the files replaced by what they say now.

    Raises WsgigroupsError (usage) for a group or a site that is another's, and where a table that holds for everybody
    is to be another one while there are others.
    """
    for name in (*SHARED_TABLES, *_NOUNS):
        if not isinstance(part.get(name, {}), Mapping):
            raise _refused(f"{name} of {_named(files)} is no table", "send what a configuration has there")
    before, after, rest = Owners.read(running), Owners.read(part), rest_of(running, files)
    for kind in _NOUNS:
        _refuse_clash(rest, kind, part.get(kind, {}).keys(), files)
    if rest["groups"] or rest["sites"]:
        for name in SHARED_TABLES:
            _refuse_other(name, running.get(name, {}), part.get(name, {}), before, files)
        _refuse_other("defaults", before.defaults, after.defaults, before, files)
    tables = {name: part[name] for name in SHARED_TABLES if part.get(name)}
    both = {kind: {**rest[kind], **part.get(kind, {})} for kind in _NOUNS}
    left = {name: tuple(file for file in its if file not in files) for name, its in before.tables.items()}
    owners = Owners(
        groups={**_outside(before.groups, files), **after.groups},
        sites={**_outside(before.sites, files), **after.sites},
        tables={name: its for name in TABLES if (its := (*left.get(name, ()), *after.tables.get(name, ())))},
        included_by={
            **{file: by for file, by in before.included_by.items() if file not in files},
            **after.included_by,
        },
        defaults=after.defaults,
    )
    named = {kind: tables_of for kind, tables_of in both.items() if tables_of}
    return {"version": part.get("version", 1), **tables, **named, "owners": owners.to_document()}


def touched(before: Owners, after: Owners, files: Collection[str]) -> frozenset[str]:
    """Return the groups that come from these files, or came from them."""
    return frozenset(
        name for owners in (before, after) for name, its in owners.groups.items() if not set(its).isdisjoint(files)
    )


def _outside(found: Mapping[str, tuple[str, ...]], files: Collection[str]) -> dict[str, tuple[str, ...]]:
    return {name: its for name, its in found.items() if not set(its) <= set(files)}


def _layer(file: str, data: Mapping[str, Any]) -> Layer:
    return Layer(Source(file or "what runs", "/", ""), Normaliser().document(data), {})


def _without(table: Mapping[str, Any], written: Any) -> dict[str, Any]:
    """The table without the keys that are written elsewhere, at any depth."""
    if not isinstance(written, Mapping):
        return dict(table)
    left = {}
    for key, value in table.items():
        if key not in written:
            left[key] = value
        elif isinstance(value, Mapping) and (inner := _without(value, written[key])):
            left[key] = inner
    return left


def _refuse_clash(rest: Mapping[str, Any], kind: str, names: Collection[str], files: Collection[str]) -> None:
    owners = Owners.read(rest)
    of_each = owners.groups if kind == "groups" else owners.sites
    for name in sorted(rest[kind].keys() & names):
        its = of_each.get(name)
        if its:
            text = f"{_NOUNS[kind]} {name!r} of {_named(files)} is in {_named(its)}, too"
            raise _refused(text, "give one of the two another name, or apply the files together")
        text = f"{_NOUNS[kind]} {name!r} of {_named(files)} runs, and it is not known from which file"
        raise _refused(text, "`wsgigroups apply` with all files, without --only, records that")


def _refuse_other(
    table: str, old: Mapping[str, Any], new: Mapping[str, Any], owners: Owners, files: Collection[str]
) -> None:
    keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    if not keys:
        return
    others = [file for file in owners.tables.get(table, ()) if file not in files]
    if not others:
        others = [file for file in owners.files() if file not in files]
    where = _named(others) or "what runs"
    text = f"[{table}] holds for all groups, and {', '.join(keys)} of it differs between {_named(files)} and {where}"
    raise _refused(text, "say the same in both, or apply the files together, without --only")


def _refused(text: str, hint: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot apply --only: {text}", hint=hint, exit_code=ExitCode.USAGE)


def _named(files: Collection[str]) -> str:
    return ", ".join(sorted(files))
