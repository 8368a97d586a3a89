"""Kinds of values on the command line, written as in configuration files.

Runs in the user's process. Imports no models.
"""

from __future__ import annotations

import math
from typing import Any

import click

from wsgigroups.config.units import parse_duration


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases
    """A duration: a number of seconds, or `90s`, `5m`, `1h30m`. 0 is no limit, as in files: infinity here."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds; a usage error has the sentence that a file's diagnostic would have."""
        try:
            return parse_duration(value) or math.inf
        except ValueError as error:
            return self.fail(f'{error}; write a number of seconds, or "30s", "5m", "1h30m"', param, ctx)


DURATION = Duration()
