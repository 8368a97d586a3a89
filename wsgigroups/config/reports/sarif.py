"""Diagnostics as SARIF 2.1.0 (OASIS), as code scanning services read it. Pure."""

from __future__ import annotations

import json
import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import wsgigroups
from wsgigroups.config.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config.diagnostics import Diagnostic, Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render_sarif(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """Return the log of one run. Columns count Unicode characters, as ours do."""
    used = sorted({item.code for item in diagnostics})
    run = {
        "tool": {
            "driver": {
                "name": "wsgigroups",
                "version": wsgigroups.__version__,
                "rules": [_rule(code) for code in used],
            }
        },
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": {"uri": _uri(name)}} for name in files],
        "results": [_result(item, used) for item in diagnostics],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(code: str) -> dict[str, Any]:
    entry = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.text},
        "help": {"text": entry.way_out},
        "defaultConfiguration": {"level": entry.severity.value},
    }


def _result(item: Diagnostic, used: Sequence[str]) -> dict[str, Any]:
    message = item.message + (f"\nhint: {item.hint}" if item.hint else "")
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": used.index(item.code),
        "level": item.severity.value,
        "message": {"text": message},
        "locations": [_location(item.file, item.span)] if item.file else [],
    }
    if item.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": related.message}, **_location(related.file, related.span)}
            for number, related in enumerate(item.related)
        ]
    return result


def _location(file: str, span: Span | None) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    if span:
        physical["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        }
    return {"physicalLocation": physical}


def _uri(name: str) -> str:
    """RFC 3986: the bytes of the name, percent-encoded where they are no plain characters."""
    if name == "<stdin>":
        return "stdin"
    if name.startswith("/"):
        return "file://" + quote(os.fsencode(name))
    return quote(os.fsencode(PurePath(name).as_posix()))
