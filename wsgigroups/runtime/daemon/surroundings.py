"""Working directory, umask, environment and locale of a daemon, set as the user it has become.

Runs in the forked child after the drop. The environment is built from nothing: what the spawner or the manager had
is gone for os.environ and for the C library alike.
"""

from __future__ import annotations

import locale
from typing import Dict, Optional

from .. import kernel
from ..log import Log
from ..originals import os, time
from ..wire.spec import Spec
from .failure import StepError, step


def enter_home(home: Optional[str]) -> None:
    """chdir(2) as the target user. Raises StepError("home")."""
    if home is None:
        return
    with step("home", "enter the home directory %r as uid %d" % (home, os.geteuid())):
        os.chdir(home)
        is_there = os.path.samestat(os.stat("."), os.stat(home))
    if not is_there:
        raise StepError("home", "cannot enter the home directory %r: the directory did not change" % home)


def set_umask(umask: Optional[int]) -> None:
    """Set the umask; None inherits. Raises StepError("environment")."""
    if umask is not None:
        with step("environment", "set the umask %o" % umask):
            os.umask(umask)


def replace_environment(spec: Spec, log: Log) -> None:
    """Make the environment exactly the spec's, with LANG, LC_ALL and the time zone in effect.

    Raises StepError("environment").
    """
    wanted = _environment(spec)
    with step("environment", "replace the environment"):
        os.environ.clear()
        kernel.clear_environment()
        for name, value in wanted.items():
            os.environ[name] = value
        time.tzset()
    if dict(os.environ) != wanted:
        raise StepError("environment", "cannot replace the environment: it is not what was asked for")
    if spec.locale is not None:
        try:
            locale.setlocale(locale.LC_ALL, spec.locale)
        except locale.Error:
            log("warning", "cannot set the locale %r: this system does not have it" % spec.locale)


def _environment(spec: Spec) -> Dict[str, str]:
    wanted = dict(spec.environment)
    if spec.lang is not None:
        wanted.setdefault("LANG", spec.lang)
    if spec.locale is not None:
        wanted.setdefault("LC_ALL", spec.locale)
    if spec.python_eggs is not None:
        wanted["PYTHON_EGG_CACHE"] = spec.python_eggs
    return wanted
