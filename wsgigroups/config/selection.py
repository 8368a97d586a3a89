"""Which diagnostics are shown, in which order: each once, strict or not, of every file the first hundred. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wsgigroups.config.capacity import MAXIMUM_SHOWN
from wsgigroups.config.codes import CODES, severity_of
from wsgigroups.config.diagnostics import Diagnostic, Severity, sort_key

_RANK = {severity: number for number, severity in enumerate(Severity)}


@dataclass(slots=True)
class Selection:
    """What one run over the files found. left_out: file → code → how many were not even made; unseen: files that were
    not looked at to their end."""

    strict: bool
    order: dict[str | None, int] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)
    left_out: dict[str | None, Counter[str]] = field(default_factory=dict)
    unseen: set[str | None] = field(default_factory=set)

    def leave_out(self, file: str, counts: Counter[str]) -> bool:
        """Count what was not made; tell whether there are errors among it."""
        self.left_out.setdefault(file, Counter()).update(counts)
        return any(severity_of(code) is Severity.ERROR and not CODES[code].strict_only for code in counts)

    def shown(self) -> tuple[Diagnostic, ...]:
        """What people get to see, file by file and from top to bottom."""
        known: dict[tuple[object, ...], Diagnostic] = {}
        for item in self.found:
            if self.strict or not item.strict_only:
                diagnostic = item.strict() if self.strict else item
                known.setdefault((diagnostic.code, diagnostic.file, diagnostic.span, diagnostic.message), diagnostic)
        by_file: dict[str | None, list[Diagnostic]] = {}
        for diagnostic in known.values():
            by_file.setdefault(diagnostic.file, []).append(diagnostic)
        shown = [item for file, found in by_file.items() for item in self._first(file, found)]
        return tuple(sorted(shown, key=lambda item: sort_key(self.order, item)))

    def _first(self, file: str | None, found: list[Diagnostic]) -> list[Diagnostic]:
        """The first of a file, errors before others, and how many more there are."""
        if len(found) > MAXIMUM_SHOWN:
            found.sort(key=lambda item: (_RANK[item.severity], sort_key(self.order, item)))
        shown, more = found[:MAXIMUM_SHOWN], found[MAXIMUM_SHOWN:]
        severities = Counter(item.severity for item in more)
        for code, count in self.left_out.get(file, Counter()).items():
            if self.strict or not CODES[code].strict_only:
                severities[self._severity(code)] += count
        if file in self.unseen:
            severities[Severity.ERROR] += 0
        if not severities:
            return shown
        worst = min(severities, key=lambda severity: _RANK[severity])
        count = severities.total()
        message = f"and {count} more" if file not in self.unseen else f"and at least {count} more"
        if not count:
            message = "and there may be more: the rest of the file was not looked at"
        hint = "one mistake in a template makes many: begin with the first"
        last = max(shown, key=lambda item: sort_key(self.order, item))
        return [*shown, Diagnostic("WG0121", worst, message, file, last.span, hint)]

    def _severity(self, code: str) -> Severity:
        severity = severity_of(code)
        return Severity.ERROR if self.strict and severity is Severity.WARNING else severity
