"""Diagnostics as text for people and for the programs that collect findings in CI. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsgigroups.config.diagnostics import Diagnostic

FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")


def renderer(output: str) -> Callable[[Sequence[Diagnostic], Sequence[str]], str]:
    """Return the function that renders this format (not text) from diagnostics and the names of all files."""
    if output == "sarif":
        from wsgigroups.config.reports.sarif import render_sarif

        return render_sarif
    if output == "junit":
        from wsgigroups.config.reports.junit import render_junit

        return render_junit
    from wsgigroups.config.reports import machine

    return {"json": machine.render_json, "github": machine.render_github, "gitlab": machine.render_gitlab}[output]
