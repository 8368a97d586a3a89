"""Files of Apache's configuration to what holds in each virtual host: includes, conditions, variables, macros. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.apache.syntax import Directive, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.interop.importers.draft import Draft
    from wsgigroups.interop.importers.surroundings import ImportSurroundings

_VARIABLE = re.compile(r"\$\{([A-Za-z_][\w.-]*)\}")
_ENVVARS = re.compile(r"^\s*(?:export\s+)?(APACHE_\w+)=[\"']?([^\"'\s]*)[\"']?\s*$", re.MULTILINE)
_SUFFIX = re.compile(r"\$\{?SUFFIX\}?")
_DEEPEST = 32  # includes in includes: a file that includes itself
_VERSION = (2, 4, 62)  # what <IfVersion> is told: any of 2.4 answers the questions that are asked
# what Debian's envvars set, where that file cannot be read
_DEBIAN = {
    "APACHE_RUN_USER": "www-data",
    "APACHE_RUN_GROUP": "www-data",
    "APACHE_LOG_DIR": "/var/log/apache2",
    "APACHE_RUN_DIR": "/var/run/apache2",
    "APACHE_LOCK_DIR": "/var/lock/apache2",
    "APACHE_PID_FILE": "/var/run/apache2/apache2.pid",
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A directive, and the sections that enclose it inside its virtual host, the outermost first."""

    directive: Directive
    within: tuple[Directive, ...] = ()


@dataclass(slots=True)
class ApacheHost:
    """A virtual host, or the main server (section None)."""

    section: Directive | None
    directives: list[Placed] = field(default_factory=list)

    def all(self, name: str) -> list[Directive]:
        """Its directives of this name that no section encloses."""
        return [item.directive for item in self.directives if item.directive.name == name and not item.within]

    def last(self, name: str) -> Directive | None:
        """The last of them, which is the one that holds."""
        return next(reversed(self.all(name)), None)


class ApacheReader:
    """Reads files as Apache does when it starts. hosts: the main server, then the virtual hosts in their order."""

    def __init__(self, surroundings: ImportSurroundings, draft: Draft, defined: dict[str, str]) -> None:
        self._surroundings = surroundings
        self._draft = draft
        self._defined = {**_DEBIAN, **defined}
        self._given = set(defined)
        self._macros: dict[str, Directive] = {}
        self.server_root = ""
        self.hosts = [ApacheHost(None)]

    def read(self, path: str) -> None:
        """Read a file that was named. Raises WsgigroupsError."""
        if not self.server_root:
            self.server_root = _likely_root(path)
            self._read_envvars()
        if self._surroundings.is_directory(path):
            for inner in self._surroundings.matching(posixpath.join(path, "*.conf")):
                self._file(inner, self.hosts[0], (), 0)
            return
        if self._surroundings.text(path) is None:
            raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
        self._file(path, self.hosts[0], (), 0)

    def _read_envvars(self) -> None:
        text = self._surroundings.text(posixpath.join(self.server_root, "envvars")) or ""
        for name, value in _ENVVARS.findall(text):
            if name not in self._given and "$(" not in value:
                self._defined[name] = _SUFFIX.sub("", value)

    def _file(self, path: str, host: ApacheHost, within: tuple[Directive, ...], depth: int) -> None:
        text = self._surroundings.text(path)
        if text is not None:
            self._all(parse(text, path), host, within, depth)

    def _all(
        self, directives: Iterable[Directive], host: ApacheHost, within: tuple[Directive, ...], depth: int
    ) -> None:
        for raw in directives:
            directive = self._with_values(raw)
            if directive.inside is None:
                self._plain(directive, host, within, depth)
            else:
                self._section(directive, directive.inside, host, within, depth)

    def _plain(self, directive: Directive, host: ApacheHost, within: tuple[Directive, ...], depth: int) -> None:
        name = directive.name
        if name == "serverroot":
            self.server_root = directive.word(0)
        elif name == "define":
            self._defined[directive.word(0)] = directive.word(1)
        elif name == "undefine":
            self._defined.pop(directive.word(0), None)
        elif name in ("include", "includeoptional"):
            self._include(directive, host, within, depth)
        elif name == "use":
            self._use(directive, host, within, depth)
        else:
            host.directives.append(Placed(directive, within))

    def _section(
        self,
        directive: Directive,
        inside: tuple[Directive, ...],
        host: ApacheHost,
        within: tuple[Directive, ...],
        depth: int,
    ) -> None:
        name = directive.name
        if name == "virtualhost":
            self.hosts.append(ApacheHost(directive))
            self._all(inside, self.hosts[-1], (), depth)
        elif name == "macro":
            self._macros[directive.word(0).lower()] = directive
        elif name in ("ifmodule", "ifdefine", "ifversion", "iffile", "ifsection", "ifdirective"):
            if self._holds(name, directive.words):
                self._all(inside, host, within, depth)
        elif name in ("if", "elseif", "else"):
            self._draft.drop(directive.setting, "conditions on requests are not known here")
        elif name in ("requireall", "requireany", "requirenone", "limit", "limitexcept"):
            self._all(inside, host, (*within, directive) if name.startswith("limit") else within, depth)
        elif name in ("proxy", "proxymatch"):
            self._draft.drop(directive.setting, "the gateway passes requests to groups only")
        else:
            self._all(inside, host, (*within, directive), depth)

    def _holds(self, name: str, words: tuple[str, ...]) -> bool:
        wanted = words[0] if words else ""
        negated = wanted.startswith("!")
        wanted = wanted.removeprefix("!")
        if name == "ifdefine":
            return (wanted in self._defined) != negated
        if name == "iffile":
            return (self._surroundings.text(self.absolute(wanted)) is not None) != negated
        if name == "ifversion":
            return _compares(words) != negated
        # which modules are loaded is not known: a configuration is written for those that are
        return not negated

    def _include(self, directive: Directive, host: ApacheHost, within: tuple[Directive, ...], depth: int) -> None:
        pattern = self.absolute(directive.word(0))
        if depth >= _DEEPEST:
            raise WsgigroupsError(f"cannot read {pattern}: it is included by itself", exit_code=ExitCode.USAGE)
        if self._surroundings.is_directory(pattern):
            pattern = posixpath.join(pattern, "*")
        paths = self._surroundings.matching(pattern) if re.search(r"[*?\[]", pattern) else [pattern]
        readable = [path for path in paths if self._surroundings.text(path) is not None]
        for path in readable:
            self._file(path, host, within, depth + 1)
        if not readable and directive.name == "include":
            self._draft.drop(
                directive.setting, "there is no such file that could be read: what it says is missing here"
            )

    def _use(self, directive: Directive, host: ApacheHost, within: tuple[Directive, ...], depth: int) -> None:
        macro = self._macros.get(directive.word(0).lower())
        if macro is None or depth >= _DEEPEST:
            self._draft.drop(directive.setting, "there is no such macro in what was read")
            return
        values = dict(zip(macro.words[1:], directive.words[1:], strict=False))
        self._all([_filled(item, values) for item in macro.inside or ()], host, within, depth + 1)

    def absolute(self, path: str) -> str:
        """A path as Apache reads it: relative ones start at ServerRoot."""
        if path.startswith("${"):
            return path  # of a variable that is not known
        return posixpath.normpath(posixpath.join(self.server_root, path))

    def _with_values(self, directive: Directive) -> Directive:
        if "${" not in directive.text:
            return directive

        def value(found: re.Match[str]) -> str:
            return self._defined.get(found[1], found[0])

        words = tuple(_VARIABLE.sub(value, word) for word in directive.words)
        return replace(directive, words=words, text=_VARIABLE.sub(value, directive.text))


def _filled(directive: Directive, values: dict[str, str]) -> Directive:
    """A directive of a macro with its parameters filled in, longer names first."""
    text = directive.text
    words = list(directive.words)
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(name, values[name])
        words = [word.replace(name, values[name]) for word in words]
    inside = None if directive.inside is None else tuple(_filled(item, values) for item in directive.inside)
    return replace(directive, words=tuple(words), text=text, inside=inside)


def _compares(words: tuple[str, ...]) -> bool:
    operator, wanted = (words[0], words[1]) if len(words) > 1 else ("=", words[0] if words else "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", wanted)[:3])
    have = _VERSION[: len(numbers)]
    return {
        "=": have == numbers, "==": have == numbers, ">": have > numbers, ">=": have >= numbers,
        "<": have < numbers, "<=": have <= numbers,
    }.get(operator.removeprefix("!"), True)  # fmt: skip


def _likely_root(path: str) -> str:
    """Where relative paths start while no ServerRoot was read: distributions have it at these places."""
    for root in ("/etc/apache2", "/etc/httpd", "/usr/local/apache2", "/usr/local/etc/apache24"):
        if path.startswith(root + "/"):
            return root
    return "/etc/apache2"
