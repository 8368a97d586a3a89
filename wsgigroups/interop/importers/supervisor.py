"""Programs of supervisor that run gunicorn, uwsgi or mod_wsgi-express. Pure.

The form is that of http://supervisord.org/configuration.html: ini files, `;` begins a comment, `%(ENV_X)s` a variable.
"""

from __future__ import annotations

import configparser
import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.command_lines import commands_of
from wsgigroups.interop.importers.draft import Draft, ForeignSetting, one_line
from wsgigroups.interop.importers.started import Started
from wsgigroups.interop.importers.starting import put_program_start
from wsgigroups.interop.importers.values import joined, number, numbered, octal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings

_PROGRAM = re.compile(r"(?:program|fcgi-program):(.+)")
_PLACEHOLDER = re.compile(r"%\((ENV_)?(\w+)\)[sd](?:\d*d)?")
# what configparser has for that, from 3.13 on and before
_CONTINUED_NOTHING = (getattr(configparser, "MultilineContinuationError", AttributeError), AttributeError)
_NEEDLESS = frozenset(
    {
        "command", "directory", "environment", "process_name", "autostart", "autorestart", "startsecs", "startretries",
        "exitcodes", "stopsignal", "stopasgroup", "killasgroup", "redirect_stderr", "priority",
        "stdout_capture_maxbytes",
        "stderr_capture_maxbytes", "stdout_events_enabled", "stderr_events_enabled", "serverurl", "stdout_syslog",
        "stdout_logfile_maxbytes", "stdout_logfile_backups", "stderr_logfile_maxbytes", "stderr_logfile_backups",
        "loglevel",
    }
)  # fmt: skip


def import_supervisor(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read configuration files of supervisor, with those that they include. Raises WsgigroupsError."""
    draft = Draft()
    for path in request.files:
        files = surroundings.matching(posixpath.join(path, "*.conf")) if surroundings.is_directory(path) else [path]
        for file in files:
            _file(draft, file, request, surroundings, included=False)
    return draft


def _file(draft: Draft, path: str, request: ImportRequest, surroundings: ImportSurroundings, *, included: bool) -> None:
    text = surroundings.text(path)
    if text is None:
        raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",), allow_no_value=True)
    try:
        parser.read_string(text, path)
    except (configparser.Error, AttributeError) as error:
        said = "a line continues an option that has no value" if isinstance(error, _CONTINUED_NOTHING) else str(error)
        message = f"cannot read {path}: {one_line(said)}"
        raise WsgigroupsError(message, exit_code=ExitCode.USAGE) from None
    lines = _lines_of(text)
    for section in parser.sections():
        found = _PROGRAM.fullmatch(section.strip())
        options = {name: value or "" for name, value in parser.items(section)}
        if found:
            _program(draft, found[1].strip(), options, _Place(path, section, lines), request, surroundings)
        elif section == "include" and not included:
            for pattern in options.get("files", "").split():
                for file in surroundings.matching(posixpath.normpath(posixpath.join(posixpath.dirname(path), pattern))):
                    _file(draft, file, request, surroundings, included=True)


class _Place:
    """Where the options of one section are."""

    def __init__(self, path: str, section: str, lines: Mapping[tuple[str, str], int]) -> None:
        self._path = path
        self._section = section
        self._lines = lines

    def setting(self, name: str, value: str) -> ForeignSetting:
        return ForeignSetting(one_line(f"{name}={value}"), self._path, self._lines.get((self._section, name), 0))


def _program(
    draft: Draft,
    name: str,
    options: dict[str, str],
    where: _Place,
    request: ImportRequest,
    surroundings: ImportSurroundings,
) -> None:
    known = {"program_name": name, "process_num": "0", "group_name": name, "here": "", "numprocs": "1"}
    filled = {key: _filled(value, known, request.defined) for key, value in options.items()}
    setting = where.setting("command", options.get("command", ""))
    commands = commands_of(filled.get("command", ""))
    if not commands:
        draft.drop(setting, f"no program that is known here: leave {name} with supervisor")
        return
    command = commands[0]
    directory = joined(joined("/", filled.get("directory") or "/"), command.directory)
    variables = {**_variables(filled.get("environment", "")), **command.variables}
    place = put_program_start(draft, Started(command, setting, directory, variables, name, request.app), surroundings)
    if place is None:
        return
    table = draft.table(place)
    if "user" in filled:
        draft.put(place, "user", numbered(filled["user"]), where.setting("user", options["user"]))
    if "umask" in filled and octal(filled["umask"]):
        draft.put(place, "umask", octal(filled["umask"]), where.setting("umask", options["umask"]))
    log = filled.get("stdout_logfile", "")
    if log and log.upper() not in ("AUTO", "NONE") and table.get("error-log") in (None, "/dev/stderr"):
        if log.startswith("/dev/"):
            target = "/dev/stderr" if "err" in log else "/dev/stdout"
        else:
            target = log if log == "syslog" else joined("/", log)
        target = "/dev/log" if target == "syslog" else target
        draft.put(place, "error-log", target, where.setting("stdout_logfile", options["stdout_logfile"]))
    if "stderr_logfile" in filled:
        sentence = "both streams of a process go to the group's log"
        draft.note((*place, "error-log"), where.setting("stderr_logfile", options["stderr_logfile"]), sentence)
    count = number(filled.get("numprocs", "1"))
    if count is not None and count > 1:
        processes = count * int(table.get("processes", 1)) if table.get("processes") != "auto" else count
        sentence = "the processes of all of them are one group"
        draft.put(place, "processes", processes, where.setting("numprocs", options["numprocs"]), sentence)
    patience = number(filled.get("stopwaitsecs", ""))
    if patience is not None and patience < int(table.get("shutdown-timeout") or patience):
        draft.put(place, "shutdown-timeout", patience, where.setting("stopwaitsecs", options["stopwaitsecs"]))
    for key, value in options.items():
        if key in _NEEDLESS or key == "stopwaitsecs":
            draft.needless(where.setting(key, "…" if key == "environment" else value))
        elif key not in ("user", "umask", "stdout_logfile", "stderr_logfile", "numprocs"):
            draft.drop(where.setting(key, value), "nothing here stands for it")


def _filled(text: str, known: Mapping[str, str], variables: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1]:
            return variables.get(found[2], f"${{{found[2]}}}")
        return known.get(found[2], found[0])

    return _PLACEHOLDER.sub(value, " ".join(text.split()))


def _variables(text: str) -> dict[str, str]:
    """environment=A="1",B=2: what shlex takes for words, separated by commas."""
    lexer = shlex.shlex(text, posix=True)
    lexer.wordchars += "/.+-():@%?&=*!$^~{}[]|<>"
    lexer.whitespace = ", \t\n"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        words = text.split(",")
    return {name.strip(): value for name, equals, value in (word.partition("=") for word in words) if equals}


def _lines_of(text: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number_, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            section = line.strip().split("]")[0].lstrip("[")
        elif line[:1].isalpha():
            found[section, re.split(r"[=:]", line)[0].strip().lower()] = number_
    return found
