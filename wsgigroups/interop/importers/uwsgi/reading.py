"""Options of uWSGI out of ini, xml, yaml, json and command lines, with its placeholders, loops and conditions. Pure.

The forms are those of https://uwsgi-docs.readthedocs.io/en/latest/Configuration.html and ConfigLogic.html.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.command_lines import flags
from wsgigroups.interop.importers.draft import ForeignSetting, one_line
from wsgigroups.interop.importers.uwsgi.words import SHORT, SWITCHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wsgigroups.interop.importers.draft import Draft
    from wsgigroups.interop.importers.started import Started
    from wsgigroups.interop.importers.surroundings import ImportSurroundings

ENDINGS = (".ini", ".xml", ".yaml", ".yml", ".json", ".js")
_DEEPEST = 16  # files that include others
_NAMED = re.compile(r"%\(([^)]+)\)")
_MAGIC = re.compile(r"%([pondDcsefxXvVghukijZOPN])")
_ENVIRONMENT = re.compile(r"\$\(([^)]+)\)")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_CONDITION = re.compile(r"if-(not-)?(env|exists|file|dir|opt|plugin|reload|hostname|hostname-match|uid|gid)")


@dataclass(frozen=True, slots=True)
class UwsgiOption:
    """One option, with its placeholders filled in."""

    name: str
    value: str
    setting: ForeignSetting


@dataclass(slots=True)
class UwsgiReader:
    """Reads the options of one instance. options: in their order; path: of its own file, which placeholders mean."""

    surroundings: ImportSurroundings
    draft: Draft
    variables: Mapping[str, str]
    options: list[UwsgiOption] = field(default_factory=list)
    path: str = ""

    def read_file(self, path: str, section: str = "uwsgi", depth: int = 0) -> None:
        """Read one file. Raises WsgigroupsError."""
        text = self.surroundings.text(path)
        if text is None or depth > _DEEPEST:
            why = "it includes itself" if text is not None else "there is no such file"
            raise WsgigroupsError(f"cannot read {path}: {why}", exit_code=ExitCode.USAGE)
        self.path = self.path or path
        try:
            pairs = list(_PARSERS.get(posixpath.splitext(path)[1], _ini)(text, section))
        except (ET.ParseError, YAMLError, ValueError) as error:
            message = f"cannot read {path}: {one_line(str(error))}"
            raise WsgigroupsError(message, exit_code=ExitCode.USAGE) from None
        self._take(pairs, path, depth)

    def read_words(self, begun: Started) -> None:
        """Read a command line; a file that it names is read where it stands."""
        read = flags(begun.command.words, SHORT, SWITCHES)
        for name, value in read.options:
            setting = ForeignSetting(one_line(f"--{name} {value}".strip()), begun.setting.file, begun.setting.line)
            if name in ("ini", "xml", "yaml", "yml", "json", "config", "ini-paste", "ini-paste-logged"):
                self._include(value, begun.directory, 0)
            else:
                self._one(name, value or "true", setting, begun.directory, 0)
        for word in read.others:
            if posixpath.splitext(word.partition(":")[0])[1] in ENDINGS:
                self._include(word, begun.directory, 0)
            elif word.endswith((".py", ".wsgi")):
                self._one(
                    "wsgi-file", word, ForeignSetting(word, begun.setting.file, begun.setting.line), begun.directory, 0
                )
        for word in read.unknown:
            self.draft.drop(ForeignSetting(word, begun.setting.file, begun.setting.line), "uWSGI has no such option")

    def _include(self, named: str, directory: str, depth: int) -> None:
        path, _, section = named.partition(":")
        self.read_file(posixpath.normpath(posixpath.join(directory, path)), section or "uwsgi", depth + 1)

    def _take(self, pairs: Iterable[tuple[str, str, int]], path: str, depth: int) -> None:
        waiting = list(pairs)
        at = 0
        skipping = False
        while at < len(waiting):
            name, value, line = waiting[at]
            at += 1
            if name in ("endif", "end-if"):
                skipping = False
            elif skipping:
                continue
            elif _CONDITION.fullmatch(name):
                skipping = not self._holds(name, self._filled(value))
            elif name in ("for", "for-glob", "for-readline", "for-times"):
                end = next((i for i in range(at, len(waiting)) if waiting[i][0] in ("endfor", "end-for")), len(waiting))
                body = waiting[at:end]
                waiting[at : end + 1] = self._repeated(name, self._filled(value), body)
            else:
                setting = ForeignSetting(one_line(f"{name} = {value}"), path, line)
                self._one(name, value, setting, posixpath.dirname(path), depth)

    def _repeated(self, kind: str, value: str, body: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
        items = value.split()
        if kind == "for-times":
            items = [str(number) for number in range(1, min(int(value), 100) + 1)] if value.isdigit() else []
        elif kind == "for-glob":
            items = self.surroundings.matching(value)
        return [(name, text.replace("%(_)", item), line) for item in items for name, text, line in body]

    def _holds(self, name: str, value: str) -> bool:
        found = _CONDITION.fullmatch(name)
        assert found is not None
        kind = found[2]
        if kind == "env":
            variable, equals, wanted = value.partition("=")
            have = self.variables.get(variable)
            holds = have == wanted if equals else have is not None
        elif kind in ("exists", "file"):
            holds = self.surroundings.text(value) is not None or self.surroundings.is_directory(value)
        elif kind == "dir":
            holds = self.surroundings.is_directory(value)
        elif kind == "opt":
            option, equals, wanted = value.partition("=")
            given = [item.value for item in self.options if item.name == option]
            holds = wanted in given if equals else bool(given)
        else:
            holds = kind == "plugin"
        return holds != bool(found[1])

    def _one(self, name: str, raw: str, setting: ForeignSetting, directory: str, depth: int) -> None:
        value = self._filled(raw)
        if name in ("ini", "include", "inherit", "config", "yaml", "xml", "json") and depth <= _DEEPEST and value:
            self._include(value, directory, depth)
        elif name in ("set-placeholder", "set-ph", "set"):
            key, _, text = value.partition("=")
            self.options.append(UwsgiOption(key.strip(), text.strip(), setting))
        else:
            self.options.append(UwsgiOption(name.replace("_", "-") if name.startswith("if_") else name, value, setting))

    def _filled(self, text: str) -> str:
        """A value with placeholders filled in: other options, environment, parts of the file's name."""

        def named(found: re.Match[str]) -> str:
            key, plus, more = found[1].partition("+")
            key = key.strip()
            given = next((item.value for item in reversed(self.options) if item.name == key), None)
            if plus and given is not None and given.isdigit() and more.strip().isdigit():
                return str(int(given) + int(more))
            return given if given is not None else found[0]

        def magic(found: re.Match[str]) -> str:
            return self._magic(found[1])

        def variable(found: re.Match[str]) -> str:
            return self.variables.get(found[1], f"${{{found[1]}}}")

        return _ENVIRONMENT.sub(variable, _MAGIC.sub(magic, _NAMED.sub(named, text)))

    def _magic(self, letter: str) -> str:
        name = posixpath.basename(self.path)
        directory = posixpath.dirname(self.path)
        known = {
            "p": self.path, "o": self.path, "s": name, "d": directory + "/", "e": name.rpartition(".")[2],
            "n": name.rpartition(".")[0] or name, "c": posixpath.basename(directory), "k": "1", "v": directory,
            "O": self.path, "P": self.path, "N": name.rpartition(".")[0] or name,
        }  # fmt: skip
        return known.get(letter, f"%{letter}")


def _ini(text: str, wanted: str) -> Iterator[tuple[str, str, int]]:
    """uWSGI's own reading of ini files: comments at the beginning of lines only, keys as often as one likes."""
    section = ""
    begun = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = (begun + raw.strip()).strip()
        begun = ""
        if not line or line[0] in ";#":
            continue
        if line.endswith("\\"):
            begun = line[:-1]
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == wanted:
            name, equals, value = line.partition("=")
            yield name.strip(), _meant(value.strip()) if equals else "true", number


def _meant(value: str) -> str:
    """A value without the comment behind it, and the quotation marks around it, which uWSGI takes for parts of it."""
    value = re.sub(r"\s(?:#|;\s|//).*", "", value).strip()
    name, equals, text = value.partition("=")
    if equals and re.fullmatch(r"\w+\s*", name) and _QUOTED.fullmatch(text.strip()):
        return f"{name}={text.strip()[1:-1]}"
    return value[1:-1] if _QUOTED.fullmatch(value) else value


def _xml(text: str, _wanted: str) -> Iterator[tuple[str, str, int]]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it declares entities, which are not read")
    root = ET.fromstring(text)  # noqa: S314  (nothing is declared in it, so nothing can be expanded)
    for found in [root] if root.tag == "uwsgi" else root.iter("uwsgi"):
        for item in found:
            yield str(item.tag), (item.text or "").strip() or "true", 0


def _yaml(text: str, wanted: str) -> Iterator[tuple[str, str, int]]:
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = True
    try:
        document = reader.load(text)
    except YAMLError:
        document = None
    if isinstance(document, dict) and len(re.findall(r"^\s+[\w-]+:", text, re.MULTILINE)) == len(
        document.get(wanted) or ()
    ):
        yield from _mapped(document, wanted)
        return
    # keys stand there more than once, which uWSGI's own reader takes
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split(" #")[0].rstrip()
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            inside = content.rstrip(":") == wanted
        elif inside and ":" in content:
            name, _, value = content.strip().partition(":")
            yield name.strip(), value.strip().strip("'\"") or "true", number


def _json(text: str, wanted: str) -> Iterator[tuple[str, str, int]]:
    yield from _mapped(json.loads(text), wanted)


def _mapped(document: Any, wanted: str) -> Iterator[tuple[str, str, int]]:
    table = document.get(wanted) if isinstance(document, dict) else None
    if not isinstance(table, dict):
        raise ValueError(f"there is no {wanted} in it")  # noqa: TRY004  (what stands in a file)
    for name, value in table.items():
        for item in value if isinstance(value, list) else [value]:
            yield str(name), "true" if item is True else "false" if item is False else str(item), 0


_PARSERS = {".xml": _xml, ".yaml": _yaml, ".yml": _yaml, ".json": _json, ".js": _json}
