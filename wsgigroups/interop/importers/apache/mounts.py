"""WSGIScriptAlias and WSGIScriptAliasMatch: which script answers where, in which group. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.interop.importers.apache.groups import read_value
from wsgigroups.interop.importers.values import url_path

if TYPE_CHECKING:
    from wsgigroups.interop.importers.apache.reading import ApacheHost, ApacheReader
    from wsgigroups.interop.importers.apache.syntax import Directive
    from wsgigroups.interop.importers.draft import Draft, ForeignSetting

_GLOBAL = "%{GLOBAL}"
_OF_ENVIRONMENT = re.compile(r"%\{ENV:(\w+)\}")
_PREFIX = re.compile(r"\^(/[\w./-]*?)/?(?:\(/\.\*\)\?|\(/\|\$\)|\.\*|\(\.\*\)|\(\?=/\|\$\)|\$)?\$?")


@dataclass(slots=True)
class FoundMount:
    """One alias. group: as Apache names it, "" for embedded mode; interpreter: its application group, "" by default."""

    directive: Directive
    path: str
    script: str
    group: str
    interpreter: str
    callable_object: str
    reloading: Directive | None
    delegation: ForeignSetting
    naming: Directive | None  # what names the callable object
    scope: _Scope
    sentence: str = ""

    def is_within(self, sections: tuple[Directive, ...]) -> bool:
        """Whether its requests are in these sections."""
        return self.scope.weight(sections) >= 0


def find_mounts(host: ApacheHost, server: ApacheHost, reader: ApacheReader, draft: Draft) -> list[FoundMount]:
    """Return the mounts of a virtual host, longest paths first among those that Apache looks at in order."""
    found: dict[str, FoundMount] = {}
    for item in host.directives:
        directive = item.directive
        if directive.name not in ("wsgiscriptalias", "wsgiscriptaliasmatch"):
            continue
        words = [word for word in directive.words if not re.match(r"[a-z-]+=", word)]
        given = dict(word.split("=", 1) for word in directive.words if re.match(r"[a-z-]+=", word))
        path = url_path(words[0]) if words else None
        sentence = ""
        if directive.name == "wsgiscriptaliasmatch" and words:
            matched = _PREFIX.fullmatch(words[0])
            path = url_path(matched[1] or "/") if matched else None
            sentence = "the pattern is written as a path"
        if path is None or len(words) < 2 or "$" in words[1].replace("${", ""):
            draft.drop(directive.setting, "a mount has one path and one script, and no pattern")
            continue
        script = reader.absolute(words[1])
        if (words[1].endswith("/") and path != "/") or posixpath.basename(script) == "":
            draft.drop(directive.setting, "a directory of scripts: mount each script at a path of its own")
            continue
        if path in found:
            draft.drop(directive.setting, f"{path} is taken by the alias before it")
            continue
        scope = _Scope(host, server, path, script)
        group, delegation = scope.value("wsgiprocessgroup")
        interpreter, _line = scope.value("wsgiapplicationgroup")
        callable_object, naming = scope.value("wsgicallableobject")
        group = _named(given.get("process-group", group), scope)
        value, missing = read_value("path", script)
        found[path] = FoundMount(
            directive,
            path,
            value,
            group,
            given.get("application-group", interpreter),
            given.get("callable-object", callable_object),
            scope.directive("wsgiscriptreloading"),
            delegation.setting if delegation is not None else directive.setting,
            naming,
            scope,
            missing or sentence,
        )
    return list(found.values())


def _named(group: str, scope: _Scope) -> str:
    """The name of a group; one that a variable names is looked up among those that are set for all requests."""
    if group == _GLOBAL:
        return ""
    variable = _OF_ENVIRONMENT.fullmatch(group)
    if not variable:
        return group
    return next((item.word(1) for item in scope.set_variables() if item.word(0) == variable[1]), "")


@dataclass(frozen=True, slots=True)
class _Scope:
    """What holds for one script at one path: Location before Directory before the virtual host before the server."""

    host: ApacheHost
    server: ApacheHost
    path: str
    script: str

    def value(self, name: str) -> tuple[str, Directive | None]:
        found = self.directive(name)
        return (found.word(0) if found is not None else ""), found

    def directive(self, name: str) -> Directive | None:
        best: tuple[int, int, Directive] | None = None
        for rank, host in ((0, self.server), (1, self.host)):
            for item in host.directives:
                if item.directive.name != name:
                    continue
                weight = self.weight(item.within)
                if weight >= 0 and (best is None or (weight, rank) >= best[:2]):
                    best = (weight, rank, item.directive)
        return best[2] if best else None

    def set_variables(self) -> list[Directive]:
        return [*self.host.all("setenv"), *self.server.all("setenv")]

    def weight(self, within: tuple[Directive, ...]) -> int:
        """How near sections are: more for a longer Directory, most for a Location; -1: not for this script."""
        weight = 0
        for section in within:
            regular = section.word(0) == "~" or section.name.endswith("match")
            named = section.word(1) if section.word(0) == "~" else section.word(0)
            if section.name.startswith("directory"):
                subject, base = self.script, 1
            elif section.name.startswith("location"):
                subject, base = self.path, 100_000
            elif section.name.startswith("files"):
                subject, base = posixpath.basename(self.script), 50_000
            else:
                return -1
            if not _covers(named, subject, regular=regular, exact=section.name.startswith("files")):
                return -1
            weight = max(weight, base + len(named))
        return weight


def _covers(named: str, subject: str, *, regular: bool, exact: bool) -> bool:
    if regular:
        try:
            return re.search(named, subject) is not None
        except re.error:
            return False
    if exact:
        return named == subject or posixpath.basename(named) == subject
    return named.rstrip("/") == "" or subject == named.rstrip("/") or subject.startswith(named.rstrip("/") + "/")
