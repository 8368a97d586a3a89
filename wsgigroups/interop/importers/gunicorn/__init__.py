"""gunicorn: gunicorn.conf.py, command lines, Procfiles. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.command_lines import StartCommand, commands_in, commands_of
from wsgigroups.interop.importers.draft import Draft, ForeignSetting
from wsgigroups.interop.importers.gunicorn.group import put_gunicorn
from wsgigroups.interop.importers.gunicorn.reading import add_options, app_word, settings_of, settings_of_file
from wsgigroups.interop.importers.started import Started, started

if TYPE_CHECKING:
    from wsgigroups.interop.importers.draft import Place
    from wsgigroups.interop.importers.gunicorn.reading import Settings
    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings


def import_gunicorn(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read settings of gunicorn in Python, a command line, or files that have some. Raises WsgigroupsError."""
    draft = Draft()
    for command in commands_of(request.command):
        if command.program == "gunicorn":
            put_gunicorn_start(draft, started(command, "", request.directory, request.app), surroundings)
    for path in request.files:
        text = surroundings.text(path)
        if text is None:
            raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
        directory = posixpath.dirname(path)
        if path.endswith(".py"):
            setting = ForeignSetting(posixpath.basename(path), path)
            command = StartCommand("gunicorn", [], f"gunicorn -c {path}")
            begun = Started(command, setting, directory, dict(request.defined), "", request.app)
            settings = settings_of_file(path, directory, request.defined, surroundings)
            put_gunicorn(draft, settings, begun, "")
            continue
        for command in commands_in(text, "gunicorn"):
            put_gunicorn_start(draft, started(command, path, directory, request.app), surroundings)
    if not any(draft.groups()) and not draft.gaps:
        raise WsgigroupsError("cannot find a command line of gunicorn", exit_code=ExitCode.USAGE)
    return draft


def put_gunicorn_start(draft: Draft, begun: Started, surroundings: ImportSurroundings) -> Place | None:
    """Put the group of one start of gunicorn; None for what cannot be served here."""
    settings = settings_of(draft, begun, surroundings)
    return put_gunicorn(draft, settings, begun, app_word(begun.command.words))


def put_gunicorn_settings(draft: Draft, settings: Settings, begun: Started, app: str) -> Place | None:
    """Put the group of settings that another program gives gunicorn; options of its command line win over them."""
    given = dict(settings)
    add_options(given, begun.command.words, begun, draft)
    return put_gunicorn(draft, given, begun, app)


__all__ = ["import_gunicorn", "put_gunicorn_settings", "put_gunicorn_start"]
