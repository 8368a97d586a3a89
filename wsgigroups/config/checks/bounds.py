"""Numbers against the bounds in the options. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.counted_kinds import AUTO
from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.base import Option, OptionModel
    from wsgigroups.config.source import Path


_IN_MIB = 65_536  # a number below that is no size in bytes that somebody would write


def check_bounds(model: OptionModel, path: Path, options: Mapping[str, Option]) -> list[Finding]:
    """Return what is out of bounds among the values that were written."""
    findings = []
    for attribute in sorted(model.model_fields_set):
        option = options.get(attribute.replace("_", "-"))
        if option is None or (option.minimum is None and option.maximum is None):
            continue
        value = getattr(model, attribute)
        if option.kind == "process-count" and value == AUTO:
            continue
        low = option.minimum is not None and value < option.minimum
        high = option.maximum is not None and value > option.maximum
        if (low or high) and not (option.zero_allowed and value == 0):
            message = f"{option.name} is {written(option, value)}, {allowed(option)}"
            hint = None
            if low and option.kind == "bytes" and 0 < value < _IN_MIB:
                hint = f'write "{value}M" if MiB are meant'
            findings.append(Finding("WG0302", (*path, option.name), message, hint))
    return findings


def allowed(option: Option) -> str:
    """The bounds as a clause: `from 1 to 1024`, `0 or at least 512`."""
    zero = "0 or " if option.zero_allowed else ""
    if option.minimum is not None and option.maximum is not None:
        low, high = written(option, option.minimum), written(option, option.maximum)
        return f"{zero}from {low} to {high} is possible"
    if option.minimum is not None:
        return f"{zero}at least {written(option, option.minimum)} is possible"
    return f"at most {written(option, option.maximum or 0)} is possible"


def written(option: Option, value: float) -> str:
    """A number with its unit."""
    if option.kind == "bytes":
        return format_bytes(int(value))
    if option.kind == "percent":
        return f"{value:g}%"
    return format_duration(value) if option.kind == "duration" else f"{value:g}" if value < 10**6 else str(value)
