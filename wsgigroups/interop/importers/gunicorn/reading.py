"""Where gunicorn's settings come from: its file, GUNICORN_CMD_ARGS, the command line; later ones win. Pure."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.importers.command_lines import flags
from wsgigroups.interop.importers.draft import ForeignSetting, one_line
from wsgigroups.interop.importers.gunicorn.words import (
    KNOWN,
    NEEDLESS,
    REPEATED,
    SETTING_OF_FLAG,
    SHORT,
    SWITCHES,
)
from wsgigroups.interop.importers.values import is_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsgigroups.interop.importers.draft import Draft
    from wsgigroups.interop.importers.started import Started
    from wsgigroups.interop.importers.surroundings import ImportSurroundings

Settings = dict[str, tuple[Any, ForeignSetting]]
_USUAL_FILE = "gunicorn.conf.py"


def settings_of(draft: Draft, begun: Started, surroundings: ImportSurroundings) -> Settings:
    """Return the settings that hold for one start. Raises WsgigroupsError where its file cannot be read."""
    found: Settings = {}
    by_environment = shlex.split(begun.variables.get("GUNICORN_CMD_ARGS", ""))
    named = ""
    for words in (by_environment, begun.command.words):
        named = next((value for name, value in _options(words) if name == "config"), named)
    path = begun.path(named.removeprefix("file:") or _USUAL_FILE)
    if named.startswith("python:"):
        draft.drop(
            replace(begun.setting, what=f"-c {named}"), "settings in a module are not read: name its file with -c"
        )
    elif named or surroundings.text(path) is not None:
        found.update(settings_of_file(path, begun.directory, begun.variables, surroundings))
    for words in (by_environment, begun.command.words):
        add_options(found, words, begun, draft)
    return found


def settings_of_file(
    path: str, directory: str, variables: Mapping[str, str], surroundings: ImportSurroundings
) -> Settings:
    """Run a gunicorn.conf.py and return what it sets. Raises WsgigroupsError where it cannot be run."""
    values = surroundings.python_settings(path, directory, variables)
    if isinstance(values, str):
        raise WsgigroupsError(f"cannot run {path}: {values}", hint="gunicorn --check-config -c FILE says more")
    lines = _lines_of(surroundings.text(path) or "", values)
    return {
        name: (
            value,
            ForeignSetting(one_line(f"{name} = {value!r}" if value is not None else name), path, lines.get(name, 0)),
        )
        for name, value in values.items()
        if name in KNOWN
    }


def app_word(words: Sequence[str]) -> str:
    """The application on a command line, "" where it has none."""
    return next(iter(flags(words, SHORT, SWITCHES).others), "")


def _options(words: Sequence[str]) -> list[tuple[str, str]]:
    return flags(words, SHORT, SWITCHES).options


def add_options(found: Settings, words: Sequence[str], begun: Started, draft: Draft) -> None:
    """Add the options of a command line to settings; what gunicorn does not know is said."""
    read = flags(words, SHORT, SWITCHES)
    for word in read.unknown:
        draft.drop(replace(begun.setting, what=word), "gunicorn has no such option")
    fresh: set[str] = set()
    for flag, text in read.options:
        name = SETTING_OF_FLAG.get(flag, flag.replace("-", "_"))
        setting = replace(begun.setting, what=one_line(f"--{flag} {text}".strip()))
        if name not in KNOWN:
            draft.drop(setting, "gunicorn has no such option")
        elif name in REPEATED:
            before = found[name][0] if name in fresh else []
            found[name] = ([*before, text], setting)
            fresh.add(name)
        elif flag in SWITCHES:
            found[name] = (flag != "no-sendfile", setting)
        elif name not in NEEDLESS or name != "config":
            found[name] = (text, setting)


def _lines_of(text: str, names: Mapping[str, Any]) -> dict[str, int]:
    """Where a file sets its names: the last line that begins so."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        start = (
            line.removeprefix("def ").partition("(" if line.startswith("def ") else "=")[0].strip().partition(":")[0]
        )
        if start in names:
            found[start] = number
    return found


def truth(value: Any) -> bool:
    """A switch, in Python or as text."""
    return is_on(value) if isinstance(value, str) else bool(value)


def texts(value: Any) -> list[str]:
    """A text with commas, or a list of texts."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)):
        return [str(part).strip() for part in value if str(part).strip()]
    return []


def stem(path: str) -> str:
    """The name of a directory or file, for a group without a better one."""
    return posixpath.basename(path.rstrip("/"))
