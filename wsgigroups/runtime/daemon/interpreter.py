"""Turns the spawner's bare interpreter into the one a group asked for: venv, site-packages, python-path.

Runs in the forked child after the drop, so that every .pth file and sitecustomize runs as the target user. The
spawner was started with -I -S, hence `site` and `sysconfig` have not looked at anything yet.
"""

from __future__ import annotations

import site  # with -S importing it does nothing yet: main() is called after the drop
import sys
import types
from typing import Any, Dict, Optional, Sequence, Tuple

from ..originals import os
from ..wire.spec import Spec
from .failure import StepError, step

_STEP = "interpreter"
# Of -I and -S: what the application's own subprocesses would copy from sys.flags (subprocess, multiprocessing).
_OUR_FLAGS = ("isolated", "ignore_environment", "no_site", "no_user_site", "safe_path")
_FLAGS_BEFORE_310 = (
    *("debug", "inspect", "interactive", "optimize", "dont_write_bytecode", "no_user_site", "no_site"),
    *("ignore_environment", "verbose", "bytes_warning", "quiet", "hash_randomization", "isolated", "dev_mode"),
    "utf8_mode",
)


def prepare(spec: Spec) -> None:
    """Activate python-home, extend sys.path, and hide that this process was once a spawner. Raises StepError."""
    # After chroot the same paths are other directories; else a finder looks anew when its directory has changed.
    # importlib.invalidate_caches would import importlib.metadata.
    if spec.chroot is not None:
        sys.path_importer_cache.clear()
    _forget_bootstrap()
    _require_readable_library()
    with step(_STEP, "use python-home %r" % spec.python_home):
        activate(spec.python_home)
    for directory in spec.python_path:
        _require_directory("python-path", directory)
    with step(_STEP, "add python-path"):
        add_directories(spec.python_path)
    if spec.python_eggs is not None:
        _require_directory("python-eggs", spec.python_eggs)
        if not os.access(spec.python_eggs, os.W_OK | os.X_OK):
            raise StepError(_STEP, "cannot use python-eggs %r: it is not writable" % spec.python_eggs)
    if spec.home_on_path and spec.home is not None:
        sys.path.insert(0, spec.home)
    if spec.switch_interval_s > 0:
        sys.setswitchinterval(spec.switch_interval_s)


def activate(home: Optional[str]) -> None:
    """Run `site` for a venv, for a prefix of this interpreter, or for the interpreter itself (None)."""
    if home is not None and os.path.isfile(os.path.join(home, "pyvenv.cfg")):
        executable = os.path.join(home, "bin", "python")
        if not os.path.exists(executable):
            raise StepError(_STEP, "cannot use python-home %r: it has no bin/python" % home)
        sys.executable = executable
        if sys.version_info >= (3, 14):
            # From 3.14 on site.venv() finds the prefix already set and warns otherwise (Lib/site.py).
            sys.prefix = sys.exec_prefix = home
            site.PREFIXES[:] = [home, home]
        _run_site()
        _require_packages_of(home)
    elif home is None or os.path.realpath(home) in (os.path.realpath(sys.prefix), os.path.realpath(sys.exec_prefix)):
        _run_site()
    else:
        with step(_STEP, "use python-home %r" % home):
            os.stat(os.path.join(home, "."))  # a directory that is gone, or that this user cannot enter, says so
        raise StepError(
            _STEP, "cannot use python-home %r: it is no venv, and this interpreter's prefix is %r" % (home, sys.prefix)
        )


def _run_site() -> None:
    # It reads sys.executable to find pyvenv.cfg, and sets sys.prefix before Python 3.14 (Lib/site.py, venv()).
    site.main()


def _require_readable_library() -> None:
    """Say it now: from 3.11 on `site` and others are frozen, so that a later import would fail and explain nothing."""
    library = os.path.dirname(getattr(os, "__file__", ""))
    if library and not os.access(library, os.R_OK | os.X_OK):
        raise StepError(
            _STEP,
            "cannot use the interpreter %s as uid %d: its library %s is not readable for it. "
            "Install Python or make the venv where this user can read it" % (sys.executable, os.geteuid(), library),
        )


def _require_packages_of(home: str) -> None:
    candidates = site.getsitepackages([home])
    if not any(os.path.isdir(directory) for directory in candidates):
        raise StepError(
            _STEP,
            "cannot use python-home %r with Python %d.%d: it was made for another version, it has none of %s"
            % (home, sys.version_info[0], sys.version_info[1], ", ".join(candidates)),
        )


def add_directories(directories: Sequence[str]) -> None:
    """site.addsitedir each, so that .pth files run; what that added goes to the front, in order."""
    before = list(sys.path)
    for directory in directories:
        site.addsitedir(directory)
    added = [entry for entry in sys.path if entry not in before]
    sys.path[:] = added + [entry for entry in sys.path if entry in before]


def _require_directory(option: str, directory: str) -> None:
    with step(_STEP, "use %s %r" % (option, directory)):
        os.stat(directory)
    if not os.path.isdir(directory):
        raise StepError(_STEP, "cannot use %s %r: it is not a directory" % (option, directory))


def _forget_bootstrap() -> None:
    """An empty __main__, as mod_wsgi has: multiprocessing would run the spawner's file again in its children."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = ["wsgigroups"]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = ["wsgigroups"]
    sys.flags = flags_of_a_plain_start()


def flags_of_a_plain_start() -> Any:
    original = sys.flags
    names: Sequence[str] = getattr(type(original), "__match_args__", _FLAGS_BEFORE_310)
    values: Dict[str, Any] = {
        name: getattr(original, name)
        for name in dir(original)
        if not name.startswith(("_", "n_")) and name not in ("count", "index")
    }
    for name in _OUR_FLAGS:
        if name in values:
            values[name] = type(values[name])(0)
    return _Flags(tuple(values.get(name, item) for name, item in zip(names, original)), values)


class _Flags(Tuple[Any, ...]):  # noqa: SLOT001 - its attributes are the interpreter's
    """What sys.flags is for an application: sys.flags itself cannot be constructed."""

    def __new__(cls, items: Tuple[Any, ...], values: Dict[str, Any]) -> "_Flags":
        flags = super().__new__(cls, items)
        flags.__dict__.update(values)
        return flags

    def __repr__(self) -> str:
        return "sys.flags(%s)" % ", ".join("%s=%r" % pair for pair in self.__dict__.items())
