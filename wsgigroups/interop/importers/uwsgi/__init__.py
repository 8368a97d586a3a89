"""uWSGI: files in ini, xml, yaml and json, the directory of an Emperor, command lines. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.command_lines import StartCommand, commands_in, commands_of
from wsgigroups.interop.importers.draft import Draft, ForeignSetting
from wsgigroups.interop.importers.started import Started, started
from wsgigroups.interop.importers.uwsgi.group import put_uwsgi
from wsgigroups.interop.importers.uwsgi.reading import ENDINGS, UwsgiReader

if TYPE_CHECKING:
    from wsgigroups.interop.importers.draft import Place
    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings


def import_uwsgi(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read configuration files of uWSGI, a directory of them, or command lines. Raises WsgigroupsError."""
    draft = Draft()
    for command in commands_of(request.command):
        if command.program == "uwsgi":
            begun = started(command, "", request.directory, request.app)
            put_uwsgi_start(draft, begun, surroundings)
    for path in request.files:
        if surroundings.is_directory(path):
            for ending in ENDINGS:
                for file in surroundings.matching(posixpath.join(path, f"*{ending}")):
                    _file(draft, file, request, surroundings)
        elif posixpath.splitext(path)[1] in ENDINGS:
            _file(draft, path, request, surroundings)
        else:
            text = surroundings.text(path)
            if text is None:
                raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
            if "[uwsgi]" in text:
                _file(draft, path, request, surroundings)
                continue
            for command in commands_in(text, "uwsgi"):
                begun = started(command, path, posixpath.dirname(path), request.app)
                put_uwsgi_start(draft, begun, surroundings)
    if not any(draft.groups()) and not draft.gaps:
        raise WsgigroupsError("cannot find anything of uWSGI in it", exit_code=ExitCode.USAGE)
    return draft


def put_uwsgi_start(draft: Draft, begun: Started, surroundings: ImportSurroundings) -> Place | None:
    """Put the group of one start of uWSGI; an Emperor gives one for each file, and the last is returned."""
    reader = UwsgiReader(surroundings, draft, begun.variables)
    reader.read_words(begun)
    vassals = [option.value for option in reader.options if option.name == "emperor"]
    if not vassals:
        return put_uwsgi(draft, reader.options, begun, reader.path)
    place: Place | None = None
    for option in reader.options:
        if option.name != "emperor":
            draft.drop(option.setting, "it is of the Emperor itself; every vassal is a group")
    for directory in vassals:
        pattern = begun.path(directory)
        files = surroundings.matching(pattern if "*" in pattern else posixpath.join(pattern, "*"))
        for file in files:
            if posixpath.splitext(file)[1] in ENDINGS:
                vassal = UwsgiReader(surroundings, draft, begun.variables)
                vassal.read_file(file)
                place = put_uwsgi(draft, vassal.options, _of_file(file, begun.variables, ""), file) or place
    return place


def _file(draft: Draft, path: str, request: ImportRequest, surroundings: ImportSurroundings) -> None:
    reader = UwsgiReader(surroundings, draft, request.defined)
    reader.read_file(path)
    begun = _of_file(path, dict(request.defined), request.app)
    begun.variables.clear()  # what -D gave is for placeholders, not for the application
    put_uwsgi(draft, reader.options, begun, path)


def _of_file(path: str, variables: dict[str, str], app: str) -> Started:
    command = StartCommand("uwsgi", [], f"uwsgi {path}")
    return Started(
        command, ForeignSetting(posixpath.basename(path), path), posixpath.dirname(path), dict(variables), "", app
    )
