"""The modules that only an application sees: wsgigroups_daemon, and mod_wsgi and apache for those written for mod_wsgi.

They lie in no directory of the application's interpreter. A finder makes them when they are imported, so that an
application which asks for none of them has none. What the environment itself has of the latter two comes first; a
package mod_wsgi, as of mod_wsgi-express, gets the names in addition, as mod_wsgi itself gives them to it.
"""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec
from typing import Any, Callable, Dict, Optional, Sequence

from ..wsgi.files import FileWrapper
from ..wsgi.interrupted import RequestTimeout
from .here import Here
from .log_handler import log_handler

OWN = "wsgigroups_daemon"
MOD_WSGI_VERSION = (5, 0, 2)  # whose names and behaviour these are; what 6 has added is there, too
APACHE_VERSION = (2, 4, 0)  # of which mod_wsgi needs what the environ and the server do here
Names = Dict[str, Any]


def install(here: Here) -> None:
    """Have them found. Main thread, before the application is imported."""
    sys.meta_path.insert(0, Finder({OWN: own(here), "mod_wsgi": mod_wsgi(here), "apache": apache(here)}))


def environ_constants() -> Names:
    """Return what every environ has for applications that were written for mod_wsgi, beside what depends on more."""
    return {
        "apache.version": APACHE_VERSION,
        "mod_wsgi.version": MOD_WSGI_VERSION,
        "mod_wsgi.application_group": "",
        "mod_wsgi.request_handler": "wsgi-script",
        "mod_wsgi.handler_script": "",
    }


def own(here: Here) -> types.ModuleType:
    """Return `wsgigroups_daemon` (docs/applications.md)."""
    names = {
        "RequestTimeout": RequestTimeout,
        "group": here.group,
        "threads": here.threads,
        "process_metrics": here.process_metrics,
        "request_metrics": here.request_metrics,
        "request_data": here.request_data,
        "subscribe_events": here.subscribe_events,
        "subscribe_shutdown": here.shutdown.add,
        "subscribe_signals": here.signals.add,
    }
    changing = {
        "slot": lambda: here.slot,  # the application may have been loaded in another process (preload)
        "active_requests": here.active_requests,
        "shutdown_reason": lambda: here.shutdown_reason,
    }
    return _module(OWN, "What a process of wsgigroups tells its application.", names, changing)


def mod_wsgi(here: Here) -> types.ModuleType:
    """Return `mod_wsgi`, with the names that the module of that name has in a daemon process."""
    names = {
        "version": MOD_WSGI_VERSION,
        "process_group": here.group,
        "application_group": "",
        "maximum_processes": here.processes,
        "threads_per_process": here.threads,
        "FileWrapper": FileWrapper,
        "RequestTimeout": RequestTimeout,
        "process_metrics": here.process_metrics,
        "request_metrics": here.request_metrics,
        "server_metrics": lambda: None,
        "start_recording_metrics": lambda: None,
        "request_data": here.request_data,
        "subscribe_events": here.subscribe_events,
        "subscribe_shutdown": here.shutdown.add,
        "subscribe_signals": here.signals.add,
        "event_callbacks": here.events.callbacks,
        "shutdown_callbacks": here.shutdown.callbacks,
        "signal_callbacks": here.signals.callbacks,
    }
    changing = {"active_requests": here.active_requests, "LogHandler": lambda: log_handler(here.log)}
    return _module("mod_wsgi", "What mod_wsgi tells an application, from wsgigroups.", names, changing)


def apache(here: Here) -> types.ModuleType:
    """Return `apache`, as far as there is an answer without Apache."""
    names = {
        "version": APACHE_VERSION,
        "maximum_processes": here.processes,
        "threads_per_process": here.threads,
        "description": "wsgigroups",
        "mpm_name": "wsgigroups",
        "build_date": "",
    }
    return _module("apache", "What mod_wsgi tells of Apache, from wsgigroups.", names, {})


def _module(name: str, doc: str, names: Names, changing: Dict[str, Callable[[], Any]]) -> types.ModuleType:
    """Return a module; changing: names whose values are asked for at each look (PEP 562)."""
    module = types.ModuleType(name, doc)

    def find(attribute: str) -> Any:
        if attribute in changing:
            return changing[attribute]()
        raise AttributeError("module %r has no attribute %r" % (name, attribute))

    vars(module).update(names)
    vars(module)["__all__"] = sorted({*names, *changing})
    vars(module)["__getattr__"] = find
    return module


class Finder:
    """Among the finders of sys.meta_path."""

    def __init__(self, modules: Dict[str, types.ModuleType]) -> None:
        self._modules = modules

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[types.ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """Return how one of ours is loaded; None for any other module."""
        module = self._modules.get(name)
        if module is None:
            return None
        found = None if name == OWN else self._elsewhere(name, path, target)
        if found is None:
            return ModuleSpec(name, _Ready(module), origin="wsgigroups")  # type: ignore[arg-type]
        if name == "mod_wsgi" and found.loader is not None:
            found.loader = _Completed(found.loader, module)  # type: ignore[assignment]
        return found

    def _elsewhere(
        self, name: str, path: Optional[Sequence[str]], target: Optional[types.ModuleType]
    ) -> Optional[ModuleSpec]:
        for finder in sys.meta_path[:]:
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                found: Optional[ModuleSpec] = find(name, path, target)
                if found is not None:
                    return found
        return None


class _Ready:
    """Loads what is there already."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def create_module(self, _spec: ModuleSpec) -> types.ModuleType:
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: it has its names."""


class _Completed:
    """Loads a package of the environment, and gives it the names that it lacks."""

    def __init__(self, loader: Any, names_of: types.ModuleType) -> None:
        self._loader = loader
        self._names_of = names_of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: types.ModuleType) -> None:
        self._loader.exec_module(module)
        for name, value in vars(self._names_of).items():
            if name != "__all__":
                vars(module).setdefault(name, value)
