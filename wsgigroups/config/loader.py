"""From files to a configuration and diagnostics. Never raises for what stands in a file.

Runs in the command line, and in a manager that rereads its files. Each file is opened once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsgigroups.config.capacity import MAXIMUM_SHOWN
from wsgigroups.config.codes import CODES, severity_of
from wsgigroups.config.diagnostics import Diagnostic, Finding, Related, Severity, Span, path_text
from wsgigroups.config.files import Collector
from wsgigroups.config.mending import mended
from wsgigroups.config.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path as FilePath

    from wsgigroups.config.build import Parts
    from wsgigroups.config.compose import Composed, Layer
    from wsgigroups.config.configuration import Configuration
    from wsgigroups.config.files import GivenText
    from wsgigroups.config.source import Path, Source

    Validate = Callable[[Mapping[str, object], Path], list[Finding]]
    Check = Callable[[Parts], list[Finding]]


@dataclass(slots=True)
class Loaded:
    """What loading gave. configuration is None when there is an error."""

    configuration: Configuration | None
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[Source, ...] = ()
    composed: Composed | None = None
    parts: Parts | None = None

    @property
    def errors(self) -> int:
        """How many errors there are."""
        return sum(item.severity is Severity.ERROR for item in self.diagnostics)

    def source(self, name: str | None) -> Source | None:
        """The source of this name."""
        return next((source for source in self.sources if source.name == name), None)


def load(
    paths: Sequence[FilePath | GivenText],
    *,
    profiles: Sequence[str] = (),
    strict: bool = False,
    variables: Mapping[str, str] | None = None,
    trust: bool = True,
    settle: bool = False,
    check: Check | None = None,
    unless: Collection[str] = (),
    verbatim: Collection[str] = (),
) -> Loaded:
    """Read files (directories, `-` for standard input, texts) and everything they include, and validate it all.

    variables: what `${NAME}` stands for, the process environment by default. strict: warnings are errors. trust: as
    root, a file that another user could change is an error; False makes it a warning, for checks that apply nothing.
    settle: a file written this very moment is waited for, so that half of it is never applied. check: what else is
    asked of the parts, such as whether a host can run them (`wsgigroups.host.checks.host.against`). unless: codes that
    do not matter for what the configuration is wanted for. verbatim: kinds of options in which variables stay as they
    are written, for a file that is read again elsewhere.
    """
    collector = Collector(trust, settle)
    collector.collect(paths)
    selection = Selection(strict, {name: number for number, name in enumerate(collector.names)}, collector.diagnostics)
    if not collector.sources:
        return Loaded(None, selection.shown(), tuple(collector.broken))

    # the models cost their import only now: files that cannot be read at all are refused without them
    from wsgigroups.config.build import build, validate_partial
    from wsgigroups.config.compose import Layer, compose
    from wsgigroups.config.configuration import Configuration
    from wsgigroups.config.normalise import Normaliser

    environment = os.environ if variables is None else variables
    layers: list[Layer] = []
    full: set[str] = set()  # files with so many mistakes that the rest of them is not looked at
    for source in collector.sources:
        normaliser = Normaliser(source.directory, environment, verbatim)
        data = normaliser.document(source.data)
        layers.append(Layer(source, data, normaliser.renamed))
        selection.found += [_in_source(source, finding) for finding in normaliser.findings]
        if selection.leave_out(source.name, normaliser.left_out):
            full.add(source.name)
    composed = compose(layers, profiles)
    selection.found += composed.diagnostics
    for file, counts in composed.left_out.items():
        selection.leave_out(file, counts)
    for layer in layers:
        if layer.source.name not in full:
            selection.found += _check_unused(layer, validate_partial, selection)
    parts = build(composed.document, lambda path: _file_of(composed, path), full)
    selection.unseen |= parts.unseen
    parts.texts = {source.name: source.text for source in collector.sources}
    if check is not None:
        parts.findings += check(parts)
    parts.findings = [item for item in parts.findings if item.code not in unless]
    if collector.broken:
        # what a broken file would have defined is not missing
        parts.findings = [item for item in parts.findings if item.code not in _NEEDS_ALL_FILES]
    first = collector.sources[0]
    selection.found += [_located(composed, finding, first) for finding in parts.findings]
    shown = selection.shown()
    failed = collector.broken or any(item.severity is Severity.ERROR for item in shown)
    configuration = None if failed else Configuration.of_parts(parts)
    return Loaded(configuration, shown, (*collector.sources, *collector.broken), composed, parts)


_NEEDS_ALL_FILES = frozenset({"WG0202", "WG0401", "WG0404", "WG0405", "WG0406", "WG0412"})


def _check_unused(layer: Layer, validate: Validate, selection: Selection) -> list[Diagnostic]:
    """Check `[defaults]` and profiles for themselves: they may be wrong without being used."""
    paths: list[tuple[str, ...]] = [("defaults",)] if "defaults" in layer.data else []
    for name, profile in layer.data.get("profiles", {}).items():
        if "defaults" in profile:
            paths.append(("profiles", name, "defaults"))
        paths += [("profiles", name, "groups", group) for group in profile.get("groups", {})]
    found: list[Diagnostic] = []
    for path in paths:
        if len(found) > MAXIMUM_SHOWN:
            selection.unseen.add(layer.source.name)
            break
        table = layer.data
        for part in path:
            table = table[part]
        found += [_in_source(layer.source, item, layer) for item in validate(table, path)]
    return found


def _file_of(composed: Composed, path: Path) -> str:
    origin = composed.origin(path)
    return origin.source.name if origin else ""


def _in_source(source: Source, finding: Finding, layer: Layer | None = None) -> Diagnostic:
    """A finding whose path is one of this file."""
    renamed = layer.renamed if layer else {}
    path = renamed.get(finding.path, finding.path)
    related = tuple(Related(text, source.name, source.locate(there, key=True)) for there, text in finding.related)
    hint, fix = mended(source, path, finding)
    return make(replace(finding, hint=hint), source.name, source.locate(path, key=finding.at_key), related, fix)


def _located(composed: Composed, finding: Finding, first: Source) -> Diagnostic:
    """A finding whose path is one of the effective document."""
    origin = composed.origin(finding.path)
    related = []
    for path, text in finding.related:
        other = composed.origin(path)
        if other:
            related.append(Related(text, other.source.name, other.span(key=True)))
    if origin is None:
        return make(finding, first.name, first.span(0, 0), tuple(related))
    hint, fix = mended(origin.source, origin.path, finding)
    found = replace(finding, hint=hint)
    return make(found, origin.source.name, origin.span(key=finding.at_key), tuple(related), fix)


def make(
    finding: Finding, file: str | None, span: Span | None, related: tuple[Related, ...] = (), fix: str | None = None
) -> Diagnostic:
    """A finding with its place."""
    return Diagnostic(
        finding.code,
        severity_of(finding.code),
        finding.message,
        file,
        span,
        hint=finding.hint,
        related=related,
        option=path_text(finding.path) or None,
        strict_only=CODES[finding.code].strict_only,
        fix=fix,
        covered=finding.mend is not None and finding.mend.covered,
    )
