"""Recording a host: what it is, and what it answers about the files given. Runs in the command line."""

from __future__ import annotations

import grp
import os
import platform
import pwd
from typing import TYPE_CHECKING, Any

import wsgigroups
from wsgigroups.host.checks.host import check_host
from wsgigroups.host.interface import Asking
from wsgigroups.host.real import RealHost
from wsgigroups.host.recorded import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def record(files: Sequence[Path], profiles: Sequence[str]) -> dict[str, Any]:
    """Return the facts. With files, what their checks ask of paths and interpreters is recorded too."""
    host = RealHost()
    asking = Asking(host)
    asking.privileged()
    asking.limits()
    asking.addresses()
    asking.locales()
    asking.interpreter("")
    if files:
        from wsgigroups.config.loader import load

        loaded = load(list(files), profiles=profiles, trust=False)
        if loaded.parts is not None:
            check_host(loaded.parts, host)
    asked = host.answers.pop("user", {})
    for question in ("group", "names"):
        host.answers.pop(question, None)
    numbers = {f'["#{entry.pw_uid}"]': _user(entry) for entry in pwd.getpwall()}
    return {
        "schema_version": SCHEMA_VERSION,
        "wsgigroups": wsgigroups.__version__,
        "system": f"{platform.system()} {platform.release()}",
        "cpus": os.cpu_count(),
        "users": {entry.pw_name: _user(entry) for entry in pwd.getpwall()},
        "groups": {entry.gr_name: entry.gr_gid for entry in grp.getgrall()},
        "answers": {**host.answers, "user": {**numbers, **asked}},
    }


def _user(entry: pwd.struct_passwd) -> dict[str, Any]:
    return {"name": entry.pw_name, "uid": entry.pw_uid, "gid": entry.pw_gid, "home": entry.pw_dir}
