"""Of a group's options as text those that are not the defaults: what somebody has turned. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS
from wsgigroups.config.units import format_bytes, format_duration
from wsgigroups.targets.option_texts import text_of_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.base import Option

VARIABLE = "environment."  # how names of the environment's variables begin
_TABLES = (("", OPTIONS), ("rollout.", ROLLOUT_OPTIONS))
# which the status has besides, resolved: whether somebody has written them is not known
_ELSEWHERE = frozenset({"user", "group", "home", "listen", "python-home"})
_INHERITED = {"supplementary-groups": ("inherited", "")}  # texts that say the same as "none"


def unusual(texts: Mapping[str, str]) -> dict[str, str]:
    """Return name → value with its unit. texts: of option_texts."""
    found = {}
    for prefix, table in _TABLES:
        for name, option in table.items():
            text = texts.get(prefix + name)
            if text is None or name in _ELSEWHERE or text in _INHERITED.get(name, ()):
                continue
            usual = text_of_value(option.default)
            if name == "eviction-timeout":
                usual = texts.get("graceful-timeout", usual)
            if text != usual:
                found[prefix + name] = _readable(option, text)
    return found


def _readable(option: Option, text: str) -> str:
    try:
        if option.kind == "duration":
            return format_duration(float(text))
        if option.kind == "bytes":
            return format_bytes(int(float(text)))
        if option.kind == "percent":
            return f"{text}%"
    except ValueError:
        return text
    return text
