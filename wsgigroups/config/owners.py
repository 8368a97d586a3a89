"""Which files the groups and sites of a configuration were read from, so that one file's can be applied alone. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsgigroups.config.compose import Composed

SHARED_TABLES = ("server", "gateway", "kubernetes")  # of a configuration, that are about the groups of every file
TABLES = (*SHARED_TABLES, "defaults")  # of files
Files = tuple[str, ...]


class Owners(BaseModel):
    """Absolute paths by name. What came from standard input, or from a program, has none.

    groups has those of sites, too. included_by: file → the file that included it. defaults: `[defaults]`, as composed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, defer_build=True)

    groups: dict[str, Files] = {}
    sites: dict[str, Files] = {}
    tables: dict[str, Files] = {}
    included_by: dict[str, str] = {}
    defaults: dict[str, Any] = {}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Owners:
        """Return those of a document of `Configuration.to_document`. Raises WsgigroupsError (usage)."""
        try:
            return cls.model_validate(document.get("owners", {}))
        except ValidationError as error:
            where = ".".join(map(str, ("owners", *error.errors()[0]["loc"])))
            raise WsgigroupsError(
                f"cannot use this configuration: {where} is damaged", exit_code=ExitCode.USAGE
            ) from None

    def to_document(self) -> dict[str, Any]:
        """Return plain data; nothing for what is not known."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def files(self) -> frozenset[str]:
        """Every file that something came from."""
        named = (*self.groups.values(), *self.sites.values(), *self.tables.values())
        return frozenset(file for files in named for file in files)

    def meant_by(self, paths: Iterable[str]) -> frozenset[str]:
        """The files that these absolute paths of files and directories stand for, with all that they included."""
        given = frozenset(paths)
        return frozenset(file for file in self.files() | self.included_by.keys() if self._is_meant(file, given))

    def _is_meant(self, file: str, given: frozenset[str]) -> bool:
        seen: set[str] = set()
        while file not in seen:
            seen.add(file)
            includer = self.included_by.get(file, "")
            if file in given or (not includer and posixpath.dirname(file) in given):
                return True
            file = includer or file
        return False


def owners_of(composed: Composed) -> Owners:
    """Return the owners of what files say together."""
    groups: dict[str, list[str]] = {}
    sites: dict[str, list[str]] = {}
    tables: dict[str, list[str]] = {}
    for layer in composed.layers:
        path = layer.source.path
        if not path:
            continue
        for name in layer.data.get("groups", {}):
            groups.setdefault(name, []).append(path)
        for name, site in layer.data.get("sites", {}).items():
            sites.setdefault(name, []).append(path)
            for group in site.get("groups", {}):
                groups.setdefault(group, []).append(path)
        for name in TABLES:
            if layer.data.get(name):
                tables.setdefault(name, []).append(path)
    return Owners(
        groups=_fixed(groups),
        sites=_fixed(sites),
        tables=_fixed(tables),
        included_by={layer.source.path: layer.source.includer for layer in composed.layers if layer.source.includer},
        defaults=composed.defaults,
    )


def _fixed(found: Mapping[str, list[str]]) -> dict[str, Files]:
    return {name: tuple(paths) for name, paths in found.items()}


def by_file(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Split a document of `Configuration.to_document` by the file that each part came from, "" where that is unclear.

    Together the parts say what the document does, without its owners.
    """
    owners = Owners.read(document)
    parts: dict[str, dict[str, Any]] = {}
    for name, value in document.items():
        if name in ("groups", "sites"):
            of_each = owners.groups if name == "groups" else owners.sites
            for key, table in value.items():
                part = parts.setdefault(_only(of_each.get(key)), {})
                part.setdefault(name, {})[key] = table
        elif name not in ("version", "owners"):
            parts.setdefault(_only(owners.tables.get(name)), {})[name] = value
    return {file: {"version": document["version"], **part} for file, part in sorted(parts.items())} or {
        "": {"version": document["version"]}
    }


def _only(files: Files | None) -> str:
    return files[0] if files and len(files) == 1 else ""
