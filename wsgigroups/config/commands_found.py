"""Applications that a project names in command lines of servers: Procfile, pyproject.toml, .flaskenv. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_SERVER = re.compile(
    r"\b(?:gunicorn|waitress-serve|waitress|uwsgi|mod_wsgi-express|gevent|bjoern|cheroot|chaussette)\b"
)
_APP = re.compile(rf"(?<![\w./:@-])({_NAME}:{_NAME}(?:\(\))?)(?![\w./:-])")
_FLASK = re.compile(
    rf"""^\s*(?:export\s+)?FLASK_APP\s*=\s*["']?({_NAME}(?::{_NAME}(?:\(\))?)?)["']?\s*$""", re.MULTILINE
)
# the table of entry points that Pyramid and others have for PasteDeploy takes settings: only those without are callable
_ENTRY = re.compile(
    rf"""^\s*["']?(?:application|wsgi|app)["']?\s*=\s*["']({_NAME}:{_NAME}(?:\(\))?)["']""", re.MULTILINE
)
_TABLES = re.compile(
    r"""(?ms)^\[(?:project\.entry-points|tool\.poetry\.plugins)\.["']?wsgi[\w.]*["']?\]\s*$(.*?)(?=^\[|\Z)"""
)


def applications(directory: Path, read: Callable[[Path], str | None]) -> Iterator[tuple[str, str]]:
    """Yield `module:callable` and the name of the file that says it. read: the text of a file, None without one."""
    for name in ("Procfile", "pyproject.toml"):
        for line in (read(directory / name) or "").splitlines():
            server = _SERVER.search(line)
            found = _APP.search(line, server.end()) if server and not line.lstrip().startswith("#") else None
            if found:
                yield found[1], name
    for table in _TABLES.finditer(read(directory / "pyproject.toml") or ""):
        for entry in _ENTRY.finditer(table[1]):
            yield entry[1], "pyproject.toml"
    for name in (".flaskenv", ".env"):
        flask = _FLASK.search(read(directory / name) or "")
        if flask and ":" in flask[1]:
            yield flask[1], name
