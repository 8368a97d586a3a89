"""Diagnostics as a JUnit report: one case per file, so that a file without findings counts as passed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from wsgigroups.config.diagnostics import Diagnostic, Severity
from wsgigroups.config.reports.machine import full_message
from wsgigroups.config.reports.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def render_junit(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """Return the XML. Errors and warnings are failures, notes stand in system-out."""
    names = list(dict.fromkeys([*files, *(item.file or "<none>" for item in diagnostics)]))
    cases = []
    failures = 0
    for name in names:
        found = [item for item in diagnostics if (item.file or "<none>") == name]
        failing = [item for item in found if item.severity is not Severity.NOTE]
        failures += bool(failing)
        cases.append(_case(name, failing, [item for item in found if item.severity is Severity.NOTE]))
    counts = f'tests="{len(names)}" failures="{failures}" errors="0"'
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    suite = f'  <testsuite name="wsgigroups validate" {counts}>\n{"".join(cases)}  </testsuite>\n'
    return f"{head}<testsuites {counts}>\n{suite}</testsuites>\n"


def _case(name: str, failing: Sequence[Diagnostic], notes: Sequence[Diagnostic]) -> str:
    opening = f'    <testcase classname="wsgigroups" name={quoteattr(printable(name))}'
    if not failing and not notes:
        return opening + "/>\n"
    lines = [opening + ">\n"]
    if failing:  # one failure element per case is what readers agree on
        message = failing[0].message if len(failing) == 1 else f"{len(failing)} findings"
        text = "\n\n".join(_text(item) for item in failing)
        lines.append(f"      <failure message={quoteattr(printable(message))} type={quoteattr(failing[0].code)}>")
        lines.append(f"{escape(text)}</failure>\n")
    if notes:
        lines.append(f"      <system-out>{escape(chr(10).join(_text(item) for item in notes))}</system-out>\n")
    lines.append("    </testcase>\n")
    return "".join(lines)


def _text(item: Diagnostic) -> str:
    place = f"{item.file}:{item.span.line}:{item.span.column}: " if item.span else f"{item.file}: "
    text = f"{place}{item.severity.value}[{item.code}]: {full_message(item)}"
    return "\n".join(printable(line) for line in text.split("\n"))
