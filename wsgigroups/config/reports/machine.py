"""Diagnostics as JSON, as GitHub annotations and as a GitLab code quality report. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from wsgigroups.config.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_GITLAB = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}


def render_json(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """One document: files, counts, diagnostics."""
    counts = {severity.value: sum(item.severity is severity for item in diagnostics) for severity in Severity}
    document = {
        "schema_version": 1,
        "valid": not counts["error"],
        "files": list(files),
        "counts": counts,
        "diagnostics": [item.to_json() for item in diagnostics],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_github(diagnostics: Sequence[Diagnostic], _files: Sequence[str]) -> str:
    """Workflow commands, one line each, as docs.github.com describes them under "Workflow commands"."""
    lines = []
    for item in diagnostics:
        properties = {}
        if item.file is not None and item.file != "<stdin>":
            properties["file"] = item.file
            if item.span:
                properties["line"] = str(item.span.line)
                properties["col"] = str(item.span.column)
                properties["endLine"] = str(item.span.end_line)
                properties["endColumn"] = str(item.span.end_column)
        properties["title"] = item.code
        listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        lines.append(f"::{_GITHUB[item.severity]} {listed}::{_data(full_message(item))}")
    return "".join(line + "\n" for line in lines)


def render_gitlab(diagnostics: Sequence[Diagnostic], _files: Sequence[str]) -> str:
    """A code quality report: the fields that docs.gitlab.com lists under "Code Quality report format"."""
    report: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for item in diagnostics:
        identity = "\0".join([item.code, item.file or "", item.option or "", item.message])
        number = seen[identity] = seen.get(identity, 0) + 1
        line = item.span.line if item.span else 1
        report.append(
            {
                "description": full_message(item),
                "check_name": item.code,
                "fingerprint": hashlib.sha256(f"{identity}\0{number}".encode()).hexdigest(),
                "severity": _GITLAB[item.severity],
                "location": {"path": item.file or "<none>", "lines": {"begin": line}},
            }
        )
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def full_message(item: Diagnostic) -> str:
    """Message, hint and related places in one text."""
    text = item.message
    if item.hint:
        text += f"\nhint: {item.hint}"
    for related in item.related:
        place = f":{related.span.line}:{related.span.column}" if related.span else ""
        text += f"\n{related.message}: {related.file}{place}"
    return text


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
