"""The library that the runtime can use and never requires: setproctitle.

`preload` runs in a spawner's only thread before it forks. An application must never see what is loaded here: everything
goes under a private name in sys.modules, and sys.path, the importer caches and the finders are left as they were, so
that the application's own copy is found and used by it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Dict, List, Sequence

PRIVATE_PREFIX = "_wsgigroups_"
NAME = "setproctitle"


def preload(library_directories: Sequence[str]) -> None:
    """Import it from these directories, if they have it for this interpreter, and move it to a private name.

    A library that is missing, or was built for another version of Python, is left out; so is one that could cost the
    interpreter its freedom from the GIL.
    """
    if PRIVATE_PREFIX + NAME not in sys.modules and not _might_bring_back_gil():
        _load_privately(NAME, library_directories)


def _might_bring_back_gil() -> bool:
    """Tell whether importing an extension module may switch the GIL on, for the whole process and for good.

    A free-threaded interpreter does that for each one that does not say it can do without, and whether it says so shows
    only when it is too late. With PYTHON_GIL=0 it never does.
    """
    enabled = getattr(sys, "_is_gil_enabled", None)  # since Python 3.13
    if enabled is None or enabled():
        return False
    return bool(getattr(sys.flags, "gil", None) != 0)


def _load_privately(name: str, directories: Sequence[str]) -> None:
    """Import under the real name, since a package imports its own modules by it, then rename."""
    aside = _take(name)  # somebody's own copy, if one was imported already
    path, caches = sys.path[:], dict(sys.path_importer_cache)
    finders, before = sys.meta_path[:], set(sys.modules)
    # The standard library comes first, so that nothing in the directories can stand in for a part of it.
    sys.path[:] = [entry for entry in path if not entry.endswith("-packages")] + list(directories)
    try:
        module = importlib.import_module(name)
        if not _lies_in(module, directories):
            _take(name)
    except Exception:  # noqa: BLE001 — a C extension of another version fails in many ways; all mean "not here"
        _take(name)
    finally:
        sys.path[:] = path
        sys.meta_path[:] = finders
        sys.path_importer_cache.clear()
        sys.path_importer_cache.update(caches)
        for key, value in _take(name).items():
            sys.modules[PRIVATE_PREFIX + key] = value
        for key in [key for key in sys.modules if key not in before and not key.startswith(PRIVATE_PREFIX)]:
            if _from(sys.modules[key], directories):
                del sys.modules[key]  # a module of these directories that a library pulled in
        sys.modules.update(aside)


def _take(name: str) -> Dict[str, Any]:
    """Remove a package with all its modules from sys.modules and return them."""
    keys = [key for key in sys.modules if key == name or key.startswith(name + ".")]
    return {key: sys.modules.pop(key) for key in keys}


def _from(module: Any, directories: Sequence[str]) -> bool:
    origin = getattr(module, "__file__", None) or ""
    return any(origin.startswith(directory.rstrip("/") + "/") for directory in directories)


def _lies_in(module: Any, directories: Sequence[str]) -> bool:
    paths: List[str] = list(getattr(module, "__path__", ()))
    return _from(module, directories) or any(
        path.startswith(directory.rstrip("/") + "/") for path in paths for directory in directories
    )
