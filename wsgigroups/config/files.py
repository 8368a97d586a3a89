"""Which files belong to a configuration: those named, those in directories, those included. Reads each once."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.config import reading
from wsgigroups.config.diagnostics import Diagnostic, Severity, Span
from wsgigroups.config.reading import SUFFIXES, Problem
from wsgigroups.config.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAXIMUM_FILES = 1000


@dataclass(frozen=True, slots=True)
class GivenText:
    """A configuration that stands in no file: YAML, with the name that diagnostics have for it."""

    name: str
    text: str


@dataclass(slots=True)
class Collector:
    """Reads files in order: each one, then what it includes."""

    trust: bool
    settle: bool = False
    sources: list[Source] = field(default_factory=list)
    broken: list[Source] = field(default_factory=list)  # read, but not understood
    names: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)
    _left_bytes: int = reading.MAXIMUM_TOTAL_BYTES

    def collect(self, paths: Sequence[Path | GivenText]) -> None:
        """Read everything."""
        if not paths:
            self._report(Problem("WG0101", "no file was named"), None, None)
        for path in paths:
            if isinstance(path, GivenText):
                self.names.append(path.name)
                self._parse(path.name, "/", path.text, "yaml")
            elif "\0" in str(path):
                self._report(Problem("WG0101", "cannot open a file whose name holds a NUL character"), None, None)
            elif str(path) == "-":
                self._stdin()
            elif self._is_lost(path):
                continue
            elif os.path.isdir(path):
                self._directory(path)
            else:
                self._file(path, None, None)

    def _is_lost(self, path: Path) -> bool:
        """Whether a relative name starts at a working directory that was removed; it is reported then."""
        if path.is_absolute():
            return False
        try:
            reading.working_directory()
        except Problem as problem:
            self._report(problem, str(path), None)
            return True
        return False

    def _stdin(self) -> None:
        name = "<stdin>"
        self.names.append(name)
        try:
            text = reading.read_stdin()
            directory = reading.working_directory()
        except Problem as problem:
            self._report(problem, name, None)
            return
        self._parse(name, directory, text, "toml" if _looks_like_toml(text) else "yaml")

    def _directory(self, path: Path) -> None:
        try:
            entries = os.listdir(path)
        except OSError as error:
            problem = Problem("WG0101", f"cannot list the directory {path}: {reading.reason(error)}")
            self._report(problem, str(path), None)
            return
        names = sorted(x for x in entries if not x.startswith(".") and os.path.splitext(x)[1] in SUFFIXES)
        if not names:
            hint = "files end in .toml, .yaml or .yml"
            self._report(Problem("WG0117", f"the directory {path} holds no configuration file", hint), str(path), None)
        for name in names:
            self._file(path / name, None, None)

    def _file(self, path: Path, includer: Source | None, span: Span | None) -> None:
        name = str(path)
        real = os.path.realpath(path)
        if real in self._seen:
            problem = Problem("WG0116", f"{name} is read twice", "take one include, or one argument, out")
            self._report(problem, includer.name if includer else name, span)
            return
        self._seen[real] = name
        if len(self._seen) > MAXIMUM_FILES:
            if len(self._seen) == MAXIMUM_FILES + 1:
                problem = Problem("WG0119", f"there are more than {MAXIMUM_FILES} files")
                self._report(problem, includer.name if includer else name, span)
            return
        self.names.append(name)
        kind = SUFFIXES.get(os.path.splitext(name)[1].lower())
        try:
            if kind is None:
                _check_suffix(path)
            text = reading.read_text(path, self._left_bytes, settle=self.settle)
        except Problem as problem:
            self._report(problem, name, None)
            return
        self._left_bytes -= len(text)
        self._check_owner(path, name)
        source = self._parse(name, os.path.dirname(os.path.abspath(path)), text, kind or "toml")
        if source is not None:
            source.path = os.path.abspath(path)
            source.includer = includer.path if includer else ""
            self._include(source)

    def _check_owner(self, path: Path, name: str) -> None:
        component = reading.untrusted(path)
        if component is None:
            return
        self.diagnostics.append(
            Diagnostic(
                "WG0114",
                Severity.ERROR if self.trust else Severity.WARNING,
                f"another user could change {component}, and root would do what {name} says",
                name,
                hint="give the file and its directories to root, writable by root alone",
            )
        )

    def _parse(self, name: str, directory: str, text: str, kind: str) -> Source | None:
        parse: Callable[[str, str, str], tuple[Source, list[Diagnostic]]]
        if kind == "yaml":
            from wsgigroups.config.yaml import parse
        else:
            from wsgigroups.config.toml import parse
        source, found = parse(name, directory, text)
        self.diagnostics += found
        if found and not source.data:
            self.broken.append(source)
            return None
        self.sources.append(source)
        return source

    def _include(self, source: Source) -> None:
        patterns = source.data.get("include", [])
        if isinstance(patterns, str):
            patterns = [patterns]
        if not isinstance(patterns, list) or not all(isinstance(item, str) and item for item in patterns):
            problem = Problem(
                "WG0301", "include is a list of file names or patterns", 'write include = ["conf.d/*.toml"]'
            )
            self._report(problem, source.name, source.locate(("include",)))
            return
        if len(patterns) > MAXIMUM_FILES:
            problem = Problem("WG0119", f"there are more than {MAXIMUM_FILES} includes")
            self._report(problem, source.name, source.locate(("include",), key=True))
            return
        for i, pattern in enumerate(patterns):
            span = (
                source.locate(("include", i))
                if isinstance(source.data["include"], list)
                else source.locate(("include",))
            )
            whole = os.path.join(source.directory, pattern)
            if "\0" in pattern:
                problem = Problem("WG0101", "cannot open a file whose name holds a NUL character")
                self._report(problem, source.name, span)
                continue
            if glob.has_magic(pattern):
                found = sorted(x for x in glob.glob(whole) if os.path.splitext(x)[1].lower() in SUFFIXES)
                if not found:
                    self._report(Problem("WG0115", f"no file matches {pattern}"), source.name, span)
            else:
                found = [whole]
                if not os.path.lexists(whole):
                    self._report(
                        Problem("WG0101", f"cannot open {pattern}: no such file or directory"), source.name, span
                    )
                    continue
            for path in found:
                self._file(Path(_short(path)), source, span)

    def _report(self, problem: Problem, name: str | None, span: Span | None) -> None:
        from wsgigroups.config.codes import severity_of

        severity = severity_of(problem.code)
        if problem.offset is not None and name is not None:
            broken = Source(name, "/", problem.text)
            self.broken.append(broken)
            span = broken.span(problem.offset, problem.offset + 1)
        elif span is None and name is not None:
            self.broken.append(Source(name, "/", ""))
        diagnostic = Diagnostic(problem.code, severity, problem.message, name, span, problem.hint)
        self.diagnostics.append(replace(diagnostic))


def _check_suffix(path: Path) -> None:
    """A name without a known suffix. Raises Problem; not for what is no file at all, which reading will say."""
    if not os.path.lexists(path):
        raise Problem("WG0101", f"cannot open {path}: no such file or directory", "check the name")
    if os.path.isfile(path):
        raise Problem("WG0113", f"cannot tell the format of {path}", "name it .toml, .yaml or .yml")


def _looks_like_toml(text: str) -> bool:
    """Standard input has no name: the first line that says something decides."""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#") or not stripped:
            continue
        if stripped.startswith(("[", '"')) or "=" in stripped.split("#")[0].split('"')[0]:
            return ":" not in stripped.split("=")[0] or stripped.startswith("[")
        return False
    return True


def _short(path: str) -> str:
    """The path as people would write it: relative where it lies below the working directory."""
    try:
        here = reading.working_directory()
    except Problem:
        return path
    return os.path.relpath(path, here) if os.path.isabs(path) and path.startswith(here + os.sep) else path
