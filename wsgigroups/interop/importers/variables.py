"""Variables that come too late in a group's environment: those with an option become that option. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from wsgigroups.config.checks.late_variables import late_variable
from wsgigroups.interop.importers.draft import ForeignSetting
from wsgigroups.interop.importers.values import variables_in

if TYPE_CHECKING:
    from wsgigroups.interop.importers.draft import Draft, Place

_VARIABLE = re.compile(r"\$\{[^}]*\}|\$\w+")
_HARMLESS = "leave it out: "


def settle_variables(draft: Draft) -> None:
    """Put PYTHONPATH, LANG and LC_ALL where they belong, and take out what the interpreter has read before."""
    for place in list(draft.groups()):
        table = draft.table(place)
        environment = dict(table.get("environment", {}))
        for name in list(environment):
            if late_variable(name) is not None:
                _move(draft, place, name, environment.pop(name))
        if "environment" in table:
            table["environment"] = environment
            if not environment:
                del table["environment"]


def _move(draft: Draft, place: Place, name: str, value: str) -> None:
    setting = ForeignSetting(f"the variable {name}")
    table = draft.table(place)
    if name == "PYTHONPATH":
        home = str(table.get("home", "/"))
        # what was in it before is the environment's of whoever started the other program
        known = _VARIABLE.sub("", value).split(":")
        paths = [posixpath.join(home, part) for part in known if part]
        before = list(table.get("python-path", ()))
        if paths:
            draft.put(place, "python-path", list(dict.fromkeys([*before, *map(posixpath.normpath, paths)])), setting)
    elif name in ("LANG", "LC_ALL") and not variables_in(value):
        draft.put(place, {"LANG": "lang", "LC_ALL": "locale"}[name], value, setting)
    else:
        say_too_late(draft, name, setting)


def say_too_late(draft: Draft, name: str, setting: ForeignSetting) -> None:
    """Note a setting that is a variable which the interpreter reads at its start: needless, or a sentence instead."""
    late = late_variable(name)
    if late is None or late[1].startswith(_HARMLESS):
        draft.needless(setting)
    else:
        draft.drop(setting, f"it comes too late for the interpreter: {late[1]}")
