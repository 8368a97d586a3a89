"""Galaxy's gravity: galaxy.yml, or a file with a `gravity` section alone. Pure.

The settings are those of https://gravity.readthedocs.io and gravity/settings.py. Its web server is gunicorn, so that
gunicorn's importer writes the groups; everything else that gravity starts is no application of WSGI.
"""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.command_lines import StartCommand
from wsgigroups.interop.importers.draft import Draft, ForeignSetting, one_line
from wsgigroups.interop.importers.gunicorn import put_gunicorn_settings
from wsgigroups.interop.importers.started import Started
from wsgigroups.interop.importers.values import is_on, joined, number, numbered, octal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgigroups.interop.importers.draft import Place
    from wsgigroups.interop.importers.gunicorn.reading import Settings
    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings

_APPS = {
    "gunicorn": "galaxy.webapps.galaxy.buildapp:uwsgi_app()",
    "reports": "galaxy.webapps.reports.buildapp:uwsgi_app()",
}
_OTHER_APP = (
    "gravity starts an ASGI application, and wsgigroups serves WSGI: this is Galaxy's WSGI application, without the "
    "routes that FastAPI has; --app names another"
)
_THREADS = 40  # of a worker of uvicorn, for what is no coroutine: https://anyio.readthedocs.io/en/stable/threads.html
_DEFAULTS: dict[str, dict[str, Any]] = {
    "gunicorn": {"bind": "localhost:8080", "workers": 1, "timeout": 300},
    "reports": {"bind": "localhost:9001", "workers": 1, "timeout": 300},
}
_SAME = {"bind": "bind", "workers": "workers", "timeout": "timeout"}
_PRELOAD = "Galaxy starts threads when it is loaded: each process loads it for itself"
_OF_SERVICE = {"start_timeout": "startup-timeout", "stop_timeout": "shutdown-timeout"}
_GIGABYTES = {"memory_limit": "memory-max", "memory_high": "memory-high"}
_GIBIBYTE = 1024**3
_HANDLED = frozenset(
    {
        "galaxy_root", "galaxy_config_file", "virtualenv", "galaxy_user", "galaxy_group", "umask", "log_dir",
        "instance_name", "gunicorn", "reports", *_GIGABYTES,
    }
)  # fmt: skip
_NEEDLESS = frozenset(
    {
        "process_manager", "service_command_style", "use_service_instances", "app_server", "gravity_data_dir",
        "config_type", "restart_timeout", "enable",
    }
)  # fmt: skip
_PROGRAMS = ("celery", "celery_beat", "gx_it_proxy", "tusd", "handlers")
_PROGRAM = "no application of WSGI: leave {} with gravity"
_OTHERWISE = "nothing here stands for it"


def import_gravity(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read files of gravity. Raises WsgigroupsError for those that are none."""
    draft = Draft()
    for path in request.files:
        text = surroundings.text(path)
        if text is None:
            raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
        _File(draft, path, _document(text, path), request).put()
    return draft


def _document(text: str, path: str) -> CommentedMap:
    reader = YAML(pure=True)
    reader.allow_duplicate_keys = True
    try:
        document = reader.load(text)
    except (YAMLError, ValueError, RecursionError, AttributeError, AssertionError, TypeError) as error:
        raise WsgigroupsError(f"cannot read {path}: {one_line(str(error))}", exit_code=ExitCode.USAGE) from None
    if not isinstance(document, CommentedMap) or not {"gravity", "galaxy"} & document.keys():
        hint = "galaxy.yml has a section of that name; without one gravity's defaults hold for its galaxy section"
        raise WsgigroupsError(f"cannot find a section gravity in {path}", hint=hint, exit_code=ExitCode.USAGE)
    return document


def _section(table: Mapping[str, Any], name: str) -> CommentedMap:
    found = table.get(name)
    return found if isinstance(found, CommentedMap) else CommentedMap()


class _File:
    def __init__(self, draft: Draft, path: str, document: CommentedMap, request: ImportRequest) -> None:
        self._draft = draft
        self._path = path
        self._request = request
        self._galaxy = _section(document, "galaxy")
        self._gravity = _section(document, "gravity")
        config = self._gravity.get("galaxy_config_file")
        self._config = joined(posixpath.dirname(path), str(config)) if config else path
        self._root = self._found_root()

    def _found_root(self) -> str:
        """Where Galaxy is: as it is said, or else beside the directory config that the file is in."""
        given = self._gravity.get("galaxy_root") or self._galaxy.get("root")
        directory = posixpath.dirname(self._path)
        if given:
            return joined(directory, str(given))
        return posixpath.dirname(directory) if posixpath.basename(directory) == "config" else directory

    def put(self) -> None:
        """Put a group for every gunicorn that gravity starts, and say what becomes of the rest."""
        places = []
        for kind in _APPS:
            for number_, service in enumerate(self._services(kind)):
                place = self._put_service(kind, service, number_)
                if place is not None:
                    places.append(place)
        for place in places:
            self._put_shared(place)
        for name, value in self._gravity.items():
            setting = self._setting(self._gravity, name, value)
            if name in _PROGRAMS:
                self._put_program(name, value, setting)
            elif name in _NEEDLESS or value is None:
                self._draft.needless(setting)
            elif name in ("galaxy_root", "galaxy_config_file", "instance_name"):
                self._draft.note(("groups",), setting)
            elif name not in _HANDLED:
                self._draft.drop(setting, _OTHERWISE)

    def _services(self, kind: str) -> Iterator[CommentedMap]:
        """The settings of one kind, several where there is a list; reports are started where they are enabled."""
        given = self._gravity.get(kind)
        found = [item for item in given if isinstance(item, CommentedMap)] if isinstance(given, list) else []
        for service in found or [_section(self._gravity, kind)]:
            if is_on(service.get("enable", kind == "gunicorn")):
                yield service
            elif kind in self._gravity:
                self._draft.drop(
                    self._setting(self._gravity, kind, service), "gravity does not start it: enable: false"
                )

    def _put_service(self, kind: str, service: CommentedMap, number_: int) -> Place | None:
        """Put the group of one gunicorn; None where it cannot be served here."""
        start = self._setting(self._gravity, kind, service)
        settings: Settings = {
            name: (value, ForeignSetting(f"{kind}.{name}, the default of gravity"))
            for name, value in _DEFAULTS[kind].items()
        }
        for name, value in service.items():
            if name in _SAME and value is not None:
                settings[_SAME[name]] = (value, self._setting(service, name, value))
        settings["threads"] = (_THREADS, ForeignSetting("the threads of a worker of uvicorn", self._path))
        command = StartCommand("gunicorn", _words(service.get("extra_args")), start.what)
        variables = {"PYTHONPATH": "lib", **self._variables(kind, service)}
        named = str(self._gravity.get("instance_name") or "").strip("_")
        name = "-".join(part for part in (named, kind if kind == "reports" else "galaxy") if part)
        begun = Started(command, start, self._root, variables, f"{name}{number_ or ''}")
        app = self._request.app or _APPS[kind]
        place = put_gunicorn_settings(self._draft, settings, begun, app)
        if place is None:
            return None
        if not self._request.app:
            self._draft.note((*place, "app"), ForeignSetting(f"the application of {kind}", self._path), _OTHER_APP)
        self._put_rest_of_service(place, service)
        return place

    def _variables(self, kind: str, service: CommentedMap) -> dict[str, str]:
        if kind == "gunicorn":
            own = {"GALAXY_CONFIG_FILE": self._config}
        else:
            file = str(service.get("config_file") or "reports.yml")
            own = {"GALAXY_REPORTS_CONFIG": joined(posixpath.dirname(self._config), file)}
        return {**own, **{str(name): str(value) for name, value in _section(service, "environment").items()}}

    def _put_rest_of_service(self, place: Place, service: CommentedMap) -> None:
        for name, value in service.items():
            setting = self._setting(service, name, value)
            if name in _OF_SERVICE and number(value) is not None:
                self._draft.put(place, _OF_SERVICE[name], number(value), setting)
            elif name in _GIGABYTES:
                self._put_memory(place, name, value, setting)
            elif name in ("environment", "config_file", "extra_args"):
                self._draft.note((*place, "environment"), setting)
            elif name == "preload" and value:
                self._draft.drop(setting, _PRELOAD)
            elif name == "url_prefix" and value:
                self._draft.drop(setting, "a mount of a site has a path")
            elif name in _NEEDLESS or value in (None, "") or name == "preload":
                self._draft.needless(setting)
            elif name not in _SAME:
                self._draft.drop(setting, _OTHERWISE)

    def _put_memory(self, place: Place, name: str, value: Any, setting: ForeignSetting) -> None:
        try:
            size = int(float(value) * _GIBIBYTE)
        except (TypeError, ValueError, OverflowError):
            self._draft.drop(setting, "it is no number of gigabytes")
            return
        self._draft.put(place, _GIGABYTES[name], size, setting)

    def _put_shared(self, place: Place) -> None:
        """What gravity says of all that it starts."""
        gravity, draft = self._gravity, self._draft
        table = draft.table(place)
        for name, value in gravity.items():
            setting = self._setting(gravity, name, value)
            if value is None:
                continue
            if name in _GIGABYTES and _GIGABYTES[name] not in table:
                self._put_memory(place, name, value, setting)
            elif name == "virtualenv":
                draft.put(place, "python-home", joined(self._root, str(value)), setting)
            elif name in ("galaxy_user", "galaxy_group"):
                draft.put(place, name.removeprefix("galaxy_"), numbered(str(value)), setting)
            elif name == "umask" and octal(value):
                draft.put(place, "umask", octal(value), setting)
            elif name == "log_dir":
                log = posixpath.join(joined(self._root, str(value)), f"{place[-1]}.log")
                draft.put(place, "error-log", log, setting, "a group has one file, by its own name")

    def _put_program(self, name: str, value: Any, setting: ForeignSetting) -> None:
        enabled = not isinstance(value, CommentedMap) or is_on(value.get("enable", name not in ("gx_it_proxy", "tusd")))
        if enabled and value:
            self._draft.drop(setting, _PROGRAM.format(name))
        else:
            self._draft.needless(setting)

    def _setting(self, table: CommentedMap, name: str, value: Any) -> ForeignSetting:
        """A setting as it is written; those with settings inside are named by their own name alone."""
        plain = not isinstance(value, (dict, list))
        try:
            line = table.lc.key(name)[0] + 1
        except (KeyError, AttributeError, TypeError):  # of a section that is not there
            line = 0
        return ForeignSetting(one_line(f"{name}: {value}") if plain else str(name), self._path, line)


def _words(text: Any) -> list[str]:
    try:
        return shlex.split(str(text or ""))
    except ValueError:
        return str(text).split()
