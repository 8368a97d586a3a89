"""Directives that nothing has spoken of: each gets a reason, so that none goes without a word. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.interop.importers.apache.reading import ApacheHost, Placed
    from wsgigroups.interop.importers.draft import Draft

_OF_SERVER = frozenset(
    {
        "user", "group", "wsgidontwritebytecode", "wsgipythoneggs", "wsgipythonhashseed",
        "wsgipythonhome", "wsgipythonoptimize", "wsgipythonpath", "wsgipythonwarnings", "wsgirestrictsignal",
        "wsgiservermetrics", "wsgiswitchinterval",
    }
)  # fmt: skip
_OF_HOSTS = frozenset({"serveralias"})
_REFUSED_IN_HOST = "Apache refuses it inside of a virtual host"
_REFUSED_OUTSIDE = "Apache refuses it outside of virtual hosts"
_PART = "it is for a part of the paths, or of the files: here it is for a whole site or group"
_IMPORTED = "modules are imported by the application: import this one there"
_UNUSED = "nothing that is taken over needs it"


def say_what_is_left(draft: Draft, hosts: Iterable[ApacheHost], scripts: set[str]) -> None:
    """Note every directive of these hosts that has no line in the report yet. scripts: those that mounts have."""
    told = {(gap.setting.file, gap.setting.line) for gap in draft.gaps}
    for host in hosts:
        for item in host.directives:
            if (item.directive.file, item.directive.line) not in told:
                _say(draft, host, item, scripts)


def _say(draft: Draft, host: ApacheHost, item: Placed, scripts: set[str]) -> None:
    directive, setting = item.directive, item.directive.setting
    if directive.name == "setenv":
        setting = replace(setting, what=f"SetEnv {directive.word(0)}")  # its value may be a secret
    last = host.last(directive.name)
    if directive.name in _OF_SERVER and host.section is not None:
        draft.drop(setting, _REFUSED_IN_HOST)
    elif directive.name in _OF_HOSTS and host.section is None:
        draft.drop(setting, _REFUSED_OUTSIDE)
    elif directive.name == "wsgiimportscript":
        if posixpath.normpath(directive.word(0)) in scripts:
            draft.needless(setting)  # applications are always imported before their first request
        else:
            draft.drop(setting, _IMPORTED)
    elif item.within:
        draft.drop(setting, _PART)
    elif last is not None and last is not directive:
        draft.needless(setting)  # a later one takes its place in Apache, too
    else:
        draft.drop(setting, _UNUSED)
