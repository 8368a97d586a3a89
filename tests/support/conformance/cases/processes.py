"""The process that the options make: flags of environ, surroundings, limits as /proc has them."""

from __future__ import annotations

import os
from typing import Any

from support.conformance.asking import Asked
from support.conformance.case import Case, Facts, better, on_purpose

GIBIBYTE = 1 << 30


def _flags(environ: dict[str, list[str]]) -> Facts:
    return {f"`wsgi.{name}`": environ[f"wsgi.{name}"][1] for name in ("multiprocess", "multithread", "run_once")}


def _run_once(asked: Asked) -> Facts:
    flags = _flags(asked.json("/environ"))
    pids = [asked.pid() for _ in range(3)]
    return {**flags, "processes for three requests": str(len(set(pids)))}


def _bare(asked: Asked) -> Facts:
    found = asked.json("/process")
    return {
        **_flags(asked.json("/environ")),
        "uid and gid": _numbers(found["uids"] + found["gids"]),
        "supplementary groups": _numbers(found["groups"]),
        "HOME": str(found["environ"].get("HOME")),
        "working directory": "where the server was started" if found["cwd"] == os.getcwd() else found["cwd"],
        "umask": found["umask"],
        "sys.argv": repr(found["argv"]),
        "requests run in the main thread": str(found["main"]),
        **_limits(found),
    }


def _asked_for(asked: Asked) -> Facts:
    found = asked.json("/process")
    own = [entry for entry in found["path"] if entry in ("/usr/share", "/usr/include", "/var/tmp")]
    return {
        **_flags(asked.json("/environ")),
        "`user`, `group`": _numbers(found["uids"] + found["gids"]),
        "`supplementary-groups`": _numbers(found["groups"]),
        "`umask`": found["umask"],
        "`home`: working directory": found["cwd"],
        "`home`: HOME": str(found["environ"].get("HOME")),
        "`home`, `python-path`: order in sys.path": ", ".join(own),
        "`home` is the first of sys.path": str(found["path"][0] == "/var/tmp"),
        "`lang`": str(found["environ"].get("LANG")),
        "`locale`": f"{found['environ'].get('LC_ALL')}, {found['locale']}, {found['encoding']}",
        "`display-name`": found["title"].replace(" " * 6, " ").partition(" -f ")[0],
        "`cpu-priority`": str(found["nice"]),
        "`stack-size`": str(found["stack"]),
        "`python-eggs`": str(found["environ"].get("PYTHON_EGG_CACHE")),
        **_limits(found),
    }


def _limits(found: dict[str, Any]) -> Facts:
    names = {"DATA": "memory-limit", "AS": "virtual-memory-limit", "CPU": "cpu-time-limit"}
    return {f"`{option}`: RLIMIT_{name}": " ".join(map(str, found["limits"][name])) for name, option in names.items()}


def _numbers(values: list[int]) -> str:
    return " ".join(map(str, values))


CASES = (
    Case("once", "`threads = 1`, `maximum-requests = 1`", _run_once, options={"threads": 1, "maximum-requests": 1}),
    Case("bare", "A process whose group has no options", _bare,
         apart=on_purpose("It is the name of the server.", "sys.argv")),
    Case(
        "asked", "A process of a group with options", _asked_for,
        options={
            "processes": 1,
            "user": "nobody", "group": "nogroup", "supplementary-groups": "mail", "umask": "0027", "home": "/var/tmp",
            "python-path": "/usr/share:/usr/include", "lang": "C.UTF-8", "locale": "C.UTF-8", "cpu-priority": 5,
            "display-name": "%{GROUP}", "stack-size": 1 << 20, "python-eggs": "/tmp", "memory-limit": GIBIBYTE,
            "virtual-memory-limit": 8 * GIBIBYTE, "cpu-time-limit": 1000,
        },
        apart={
            **better("The title is all that `ps` shows; Apache's has the rest of its own command line behind it.",
                     "`display-name`"),
            **on_purpose("The hard limit is behind the windows that the soft one begins, so that they are not cut off.",
                         "`cpu-time-limit`: RLIMIT_CPU"),
        },
    ),
)  # fmt: skip
