"""What importers make of texts, without a file or a process; and the corpora of public configurations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsgigroups.config import Configuration, Severity, load
from wsgigroups.interop.importers import Draft, Fidelity, GivenFiles, ImportRequest, import_files, write

CORPORA = Path(__file__).parents[1] / "corpora"
APP = "shop.wsgi:application"  # of files that name none


def imported(kind: str, files: Mapping[str, str], *named: str, app: str = "", **defined: str) -> Draft:
    """Import texts by their paths; named: those that a person would name, all of them by default."""
    request = ImportRequest(named or tuple(files), "", defined, app)
    return import_files(kind, request, GivenFiles(files))


def of_command(kind: str, line: str, directory: str = "/srv/shop", files: Mapping[str, str] | None = None) -> Draft:
    """Import a command line."""
    return import_files(kind, ImportRequest((), line, {}, "", directory), GivenFiles(files or {}))


def loaded(draft: Draft, kind: str, path: Path) -> Configuration:
    """The configuration of the file that is written: it has no errors."""
    path.write_text(write(draft, kind, ("x",)), "utf-8")
    result = load([path], trust=False, variables={})
    errors = [f"{item.code} {item.message}" for item in result.diagnostics if item.severity is Severity.ERROR]
    assert not errors, f"{errors}\n{path.read_text('utf-8')}"
    assert result.configuration is not None
    return result.configuration


def said(draft: Draft, verdict: Fidelity) -> dict[str, str]:
    """ForeignSetting → sentence, of one verdict."""
    return {gap.setting.what: gap.sentence for gap in draft.of(verdict)}


def group(draft: Draft, name: str) -> dict[str, Any]:
    """A group of the document."""
    found: dict[str, Any] = draft.document["groups"][name]
    return found


def corpus(kind: str) -> list[Path]:
    """The files of a corpus that a person would name."""
    return sorted(path for path in (CORPORA / kind).iterdir() if path.suffix != ".socket")
