"""From what stands in one file to plain data: kebab-case keys, absolute paths, variables put in. Pure.

Everything that is unknown or has the wrong shape is reported here and left out, so that the models see only what they
know.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from wsgigroups.config.authority_kinds import ACME
from wsgigroups.config.capacity import MAXIMUM_ITEMS, MAXIMUM_SHOWN
from wsgigroups.config.codes import CODES
from wsgigroups.config.diagnostics import Finding, Mend, did_you_mean
from wsgigroups.config.foreign_names import foreign_hint
from wsgigroups.config.kinds import shown, type_name
from wsgigroups.config.shape import FILE, Named, Repeated, Table

if TYPE_CHECKING:
    from collections.abc import Collection

    from wsgigroups.config.models.base import Option
    from wsgigroups.config.source import Path

EXTENSION = "x-"  # keys of a file that begin so are for its readers, and for anchors of YAML
_OF_GROUPS = ("a group", "[defaults]")
_VARIABLE = re.compile(r"(\$)?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(slots=True)
class Normaliser:
    """One file's way. variables None: nothing is put in and no path is joined (the plain form)."""

    directory: str = "/"
    variables: Mapping[str, str] | None = None
    verbatim: Collection[str] = ()  # kinds of options in which variables stay as they are written
    findings: list[Finding] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # code → further ones, when there are too many to show
    _kept: Counter[bool] = field(default_factory=Counter)
    renamed: dict[Path, Path] = field(default_factory=dict)  # clean path → path in the file, where they differ

    def document(self, data: Mapping[str, Any], table: Table = FILE) -> dict[str, Any]:
        """Return the clean data of a whole file."""
        return self._table(data, table, (), ())

    def _table(self, data: Any, table: Table, path: Path, written: Path) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            hint = "leave the key out" if data is None else None
            self._add("WG0204", written, f"{table.what} is a table, this is {type_name(data)}", hint)
            return {}
        clean: dict[str, Any] = {}
        first: dict[str, str] = {}
        for key, value in data.items():
            name = self._name(str(key), table, written)
            if name is None:
                continue
            key_path, key_written = (*path, name), (*written, str(key))
            if name in clean:
                related = (((*written, first[name]), "first set here"),)
                message = f'"{key}" and "{first[name]}" are the same key'
                self._keep(Finding("WG0108", key_written, message, "keep one of the two", related, True))
                continue
            first[name] = str(key)
            if key_path != key_written:
                self.renamed[key_path] = key_written
            inner = table.tables.get(name)
            option = table.options.get(name)
            if inner is not None:
                clean[name] = self._inner(value, inner, key_path, key_written)
            elif value is None:
                self._add("WG0301", key_written, f"{name} has no value", "leave the key out to get the default")
            else:
                clean[name] = self._value(value, option, key_written) if option else value
        return clean

    def _name(self, key: str, table: Table, written: Path) -> str | None:
        known = table.known()
        if key in known:
            return key
        if not written and key.startswith(EXTENSION):
            return None
        kebab = key.replace("_", "-")
        here = (*written, key)
        if kebab in known:
            message = f'"{key}" is written with underscores'
            self._keep(Finding("WG0205", here, message, f'write "{kebab}"', at_key=True, mend=Mend(kebab)))
            return kebab
        if self._is_full("WG0201"):
            self.left_out["WG0201"] += 1  # without the work of a suggestion
            return None
        foreign = foreign_hint(kebab.lower()) if table.what in _OF_GROUPS else None
        hint = foreign or did_you_mean(kebab.lower(), known)
        where = f"in {table.what}"
        self._keep(Finding("WG0201", here, f"unknown key {shown(key)} {where}", hint, at_key=True))
        return None

    def _inner(self, value: Any, inner: Table | Named | Repeated, path: Path, written: Path) -> Any:
        if isinstance(inner, Table):
            return self._table(value, inner, path, written)
        if isinstance(inner, Named):
            if not isinstance(value, Mapping):
                self._add("WG0204", written, f"{inner.what} is a table of tables, this is {type_name(value)}")
                return {}
            return {
                str(name): self._named(item, inner, (*path, str(name)), (*written, str(name)))
                for name, item in value.items()
            }
        if not isinstance(value, list):
            hint = f"write [[…{path[-1]}]]" if isinstance(value, Mapping) else None
            self._add("WG0204", written, f"{inner.what} is a list of tables, this is {type_name(value)}", hint)
            return []
        return [self._table(item, inner.of, (*path, i), (*written, i)) for i, item in enumerate(value)]

    def _named(self, item: Any, inner: Named, path: Path, written: Path) -> Any:
        name = str(path[-1])
        if not isinstance(item, Mapping) and name in inner.of.options:
            hint = f"put it into a table of its own: {path[-2]}.NAME.{name}"
            self._add(
                "WG0204", written, f'"{name}" is an option, here stands the name of one of the {inner.what}', hint
            )
            return {}
        return self._table(item, inner.of, path, written)

    def _value(self, value: Any, option: Option, written: Path) -> Any:
        if self.variables is None:
            return value
        if option.kind in self.verbatim:
            return value
        if option.interpolated:
            value = self._each(value, written, self._interpolate)
        else:
            self._each(value, written, self._refuse_variables)
        plain = {"log": "-", "certificate": ACME}.get(option.kind)  # the word that is no path
        if option.kind == "path" or (plain is not None and value != plain):
            return self._absolute(value, written)
        if option.kind == "paths":
            items = value.split(":") if isinstance(value, str) else value
            if isinstance(items, list):
                one = isinstance(value, str)
                return [
                    self._absolute(x.strip() if one else x, written if one else (*written, i))
                    for i, x in enumerate(items)
                ]
        if option.kind in ("page-files", "claims") and isinstance(value, Mapping):
            return {key: self._absolute(item, (*written, str(key))) for key, item in value.items()}
        if option.kind == "address":
            return self._socket_path(value, written)
        if option.kind == "addresses" and isinstance(value, list):
            return [self._socket_path(item, (*written, i)) for i, item in enumerate(value)]
        return value

    def _each(self, value: Any, written: Path, change: Any) -> Any:
        if isinstance(value, str):
            return change(value, written)
        if isinstance(value, list):
            return [self._each(item, (*written, i), change) for i, item in enumerate(value)]
        if isinstance(value, Mapping):
            return {key: self._each(item, (*written, str(key)), change) for key, item in value.items()}
        return value

    def _interpolate(self, text: str, written: Path) -> str:
        if "${" not in text:
            return text
        count = text.count("${")
        if count > MAXIMUM_ITEMS:
            self._add("WG0302", written, f"the text holds {count} variables, at most {MAXIMUM_ITEMS} are possible")
            return ""
        variables = self.variables or {}

        def replace(found: re.Match[str]) -> str:
            if found[1]:
                return found[0][1:]  # $${NAME} stands for ${NAME} itself
            value = variables.get(found[2]) or found[3]
            if value is None and self._is_full("WG0316"):
                self.left_out["WG0316"] += 1
                return ""
            if value is None:
                hint = f"set it, give a default with ${{{found[2]}:-…}}, or write $${{{found[2]}}} for the text itself"
                self._add("WG0316", written, f"the environment variable {found[2]} is not set", hint)
                return ""
            return value

        return _VARIABLE.sub(replace, text)

    def _refuse_variables(self, text: str, written: Path) -> str:
        if _VARIABLE.search(text):
            hint = "variables are put into environment, paths and socket addresses only"
            self._add("WG0317", written, f"{shown(text)} holds a variable, which is not put in here", hint)
        return text

    def _absolute(self, value: Any, written: Path) -> Any:
        if not isinstance(value, str) or not value or "\0" in value:
            return value
        if value.startswith("~"):
            self._add(
                "WG0307", written, f"{shown(value)}: ~ is not a home directory here", "write ${HOME}, or the path"
            )
        return value if value.startswith("/") else str(FilePath(self.directory) / value)

    def _socket_path(self, value: Any, written: Path) -> Any:
        # @ begins an abstract name, which is refused, and no path: `unix:./@name` is one
        if isinstance(value, str) and value.startswith("unix:") and value[len("unix:") :][:1] not in ("", "@"):
            return "unix:" + str(self._absolute(value[len("unix:") :], written))
        return value

    def _add(self, code: str, written: Path, message: str, hint: str | None = None) -> None:
        self._keep(Finding(code, written, message, hint))

    def _keep(self, finding: Finding) -> None:
        if self._is_full(finding.code):
            self.left_out[finding.code] += 1
        else:
            self._kept[CODES[finding.code].strict_only] += 1
            self.findings.append(finding)

    def _is_full(self, code: str) -> bool:
        """Whether enough is said of this file; what only --strict shows takes no place from the rest."""
        return self._kept[CODES[code].strict_only] >= MAXIMUM_SHOWN
