"""Configuration: text to frozen models, with diagnostics. Only `files` and `reading` touch configuration files.

Names are loaded when they are used, so that `wsgigroups.config.units` or `.interpreters` cost no import of pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgigroups.config.configuration import Configuration
    from wsgigroups.config.diagnostics import Diagnostic, Severity
    from wsgigroups.config.effects import Effect
    from wsgigroups.config.loader import Loaded, load
    from wsgigroups.config.models.base import Option
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.config.models.site import Gateway, Mount, Site, Static
    from wsgigroups.config.shape import OPTIONS, ROLLOUT_OPTIONS

__all__ = [
    "OPTIONS",
    "ROLLOUT_OPTIONS",
    "Configuration",
    "Diagnostic",
    "Effect",
    "Gateway",
    "Group",
    "Loaded",
    "Mount",
    "Option",
    "ServerDefaults",
    "Severity",
    "Site",
    "Static",
    "load",
]

_WHERE = {
    "OPTIONS": "shape",
    "ROLLOUT_OPTIONS": "shape",
    "Configuration": "configuration",
    "Diagnostic": "diagnostics",
    "Severity": "diagnostics",
    "Effect": "effects",
    "Loaded": "loader",
    "load": "loader",
    "Option": "models.base",
    "Group": "models.group",
    "Gateway": "models.site",
    "Mount": "models.site",
    "ServerDefaults": "models.site",
    "Site": "models.site",
    "Static": "models.site",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"wsgigroups.config.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
