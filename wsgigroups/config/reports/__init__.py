"""Diagnostics as text for people and for the programs that collect findings in CI. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config.diagnostics import Diagnostic

FORMATS = ("text", "concise", "json", "github", "gitlab", "sarif", "junit")


Render = Callable[["Sequence[Diagnostic]", "Sequence[str]"], str]


def renderer(output: str) -> Render:
    """Return the function that renders this format (not text) from diagnostics and the names of all files.

    What it returns can be encoded: a name is bytes to the system and need not be text in any encoding.
    """
    from wsgigroups.config.diagnostics import legible

    if output == "sarif":
        from wsgigroups.config.reports.sarif import render_sarif

        # a URI can say which bytes a name has
        return lambda items, files: render_sarif([item.legible(names=False) for item in items], files)
    render = _renderer(output)
    return lambda items, files: render([item.legible() for item in items], [legible(name) for name in files])


def _renderer(output: str) -> Render:
    if output == "junit":
        from wsgigroups.config.reports.junit import render_junit

        return render_junit
    if output == "concise":
        from wsgigroups.config.reports.text import render_concise

        return render_concise
    from wsgigroups.config.reports import machine

    return {"json": machine.render_json, "github": machine.render_github, "gitlab": machine.render_gitlab}[output]
