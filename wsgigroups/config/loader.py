"""From files to a configuration and diagnostics. Never raises for what stands in a file.

Runs in the command line, and in a manager that rereads its files. Each file is opened once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.codes import CODES, severity_of
from wsgigroups.config.diagnostics import Diagnostic, Finding, Related, Severity, Span, path_text, sort_key
from wsgigroups.config.files import Collector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsgigroups.config.build import Parts
    from wsgigroups.config.compose import Composed, Layer
    from wsgigroups.config.configuration import Configuration
    from wsgigroups.config.host.interface import Host
    from wsgigroups.config.source import Source


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


@dataclass(slots=True)
class _Loading:
    """State of one call."""

    strict: bool
    order: dict[str | None, int] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def finish(
        self, configuration: Configuration | None, sources: Sequence[Source], composed: Composed | None
    ) -> Loaded:
        known: dict[tuple[object, ...], Diagnostic] = {}
        for item in self.diagnostics:
            diagnostic = item
            if item.strict_only and not self.strict:
                continue
            if self.strict:
                diagnostic = item.strict()
            known.setdefault((diagnostic.code, diagnostic.file, diagnostic.span, diagnostic.message), diagnostic)
        ordered = tuple(sorted(known.values(), key=lambda item: sort_key(self.order, item)))
        failed = any(item.severity is Severity.ERROR for item in ordered)
        return Loaded(None if failed else configuration, ordered, tuple(sources), composed)


def load(
    paths: Sequence[Path],
    *,
    profiles: Sequence[str] = (),
    strict: bool = False,
    variables: Mapping[str, str] | None = None,
    trust: bool = True,
    settle: bool = False,
    host: Host | None = None,
) -> Loaded:
    """Read files (directories, `-` for standard input) and everything they include, and validate it all.

    variables: what `${NAME}` stands for, the process environment by default. strict: warnings are errors. trust: as
    root, a file that another user could change is an error; False makes it a warning, for checks that apply nothing.
    settle: a file written this very moment is waited for, so that half of it is never applied. host: what to check
    against as well.
    """
    loading = _Loading(strict)
    collector = Collector(trust, settle)
    collector.collect(paths)
    loading.diagnostics += collector.diagnostics
    loading.order = {name: number for number, name in enumerate(collector.names)}
    if not collector.sources:
        return loading.finish(None, collector.broken, None)
    sources = [*collector.sources, *collector.broken]

    # the models cost their import only now: files that cannot be read at all are refused without them
    from wsgigroups.config.build import build, validate_partial
    from wsgigroups.config.compose import Layer, compose
    from wsgigroups.config.configuration import Configuration
    from wsgigroups.config.normalise import Normaliser

    environment = os.environ if variables is None else variables
    layers: list[Layer] = []
    for source in collector.sources:
        normaliser = Normaliser(source.directory, environment)
        data = normaliser.document(source.data)
        layers.append(Layer(source, data, normaliser.renamed))
        loading.diagnostics += [_in_source(source, finding) for finding in normaliser.findings]
    composed = compose(layers, profiles)
    loading.diagnostics += composed.diagnostics
    for layer in layers:
        loading.diagnostics += _check_unused(layer, validate_partial)
    parts = build(composed.document)
    if host is not None:
        from wsgigroups.config.checks.host import check_host

        parts.findings += check_host(parts, host)
    if collector.broken:
        # what a broken file would have defined is not missing
        parts.findings = [item for item in parts.findings if item.code not in _NEEDS_ALL_FILES]
    first = collector.sources[0]
    loading.diagnostics += [_located(composed, finding, first) for finding in parts.findings]
    configuration = None if collector.broken else Configuration.of_parts(parts)
    loaded = loading.finish(configuration, sources, composed)
    loaded.parts = parts
    return loaded


_NEEDS_ALL_FILES = frozenset({"WG0202", "WG0401", "WG0404", "WG0405", "WG0406", "WG0412"})


def _check_unused(layer: Layer, validate: object) -> list[Diagnostic]:
    """Check `[defaults]` and profiles for themselves: they may be wrong without being used."""
    assert callable(validate)
    tables = [("defaults",)] if "defaults" in layer.data else []
    paths: list[tuple[str, ...]] = list(tables)
    for name, profile in layer.data.get("profiles", {}).items():
        if "defaults" in profile:
            paths.append(("profiles", name, "defaults"))
        paths += [("profiles", name, "groups", group) for group in profile.get("groups", {})]
    found = []
    for path in paths:
        table = layer.data
        for part in path:
            table = table[part]
        findings: list[Finding] = validate(table, path)
        found += [_in_source(layer.source, item, layer) for item in findings]
    return found


def _in_source(source: Source, finding: Finding, layer: Layer | None = None) -> Diagnostic:
    """A finding whose path is one of this file."""
    renamed = layer.renamed if layer else {}
    path = renamed.get(finding.path, finding.path)
    related = tuple(Related(text, source.name, source.locate(there, key=True)) for there, text in finding.related)
    return make(finding, source.name, source.locate(path, key=finding.at_key), related)


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
    return make(finding, origin.source.name, origin.span(key=finding.at_key), tuple(related))


def make(finding: Finding, file: str | None, span: Span | None, related: tuple[Related, ...] = ()) -> Diagnostic:
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
    )
