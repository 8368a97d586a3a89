"""How a program was started, whoever starts it: a person, a Procfile, supervisor, systemd. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wsgigroups.interop.importers.draft import ForeignSetting
from wsgigroups.interop.importers.values import joined, with_defaults

if TYPE_CHECKING:
    from wsgigroups.interop.importers.command_lines import StartCommand
    from wsgigroups.interop.importers.draft import Draft, Place


@dataclass(frozen=True, slots=True)
class Started:
    """One start. directory: the working directory; variables: its environment, as far as it is said; app: by hand.

    port: whether a PORT comes from whoever starts it, as on platforms that read Procfiles.
    """

    command: StartCommand
    setting: ForeignSetting
    directory: str = "/"
    variables: dict[str, str] = field(default_factory=dict)
    name: str = ""
    app: str = ""
    port: bool = False

    def path(self, text: str) -> str:
        """A path of its command line: relative ones start at the working directory."""
        return joined(self.directory, text)


def started(command: StartCommand, file: str, directory: str, app: str = "") -> Started:
    """A command of a file, or of a person (file "")."""
    there = joined(directory, command.directory)
    setting = ForeignSetting(command.text.strip()[:100], file, command.line if file else 0)
    # Procfiles name what they start `web` or the like, which says nothing
    name = "" if command.name in ("web", "release", "worker") else command.name
    return Started(command, setting, there, dict(command.variables), name, app, port=bool(command.name))


def put_start(draft: Draft, place: Place, begun: Started, home: str | None = None) -> None:
    """Put environment, interpreter and working directory. home: one that the program was told."""
    directory = begun.directory if home is None else begun.path(home)
    if directory not in ("/", ""):
        draft.default(place, "home", directory, "the working directory, which is on sys.path, too")
    own = begun.command.python_home
    if own:
        draft.default(place, "python-home", begun.path(own), f"the environment of {begun.command.program}")
    variables = {
        name: with_defaults(value, "") if "$" in value else value
        for name, value in begun.variables.items()
        if name != "GUNICORN_CMD_ARGS"
    }
    if variables:
        given = draft.table(place).get("environment", {})
        draft.put(place, "environment", {**variables, **given}, replace(begun.setting, what="environment"))
    if begun.command.through:
        sentence = (
            "processes are started by wsgigroups itself: environment, environment-files and python-home stand for it"
        )
        draft.drop(replace(begun.setting, what=begun.command.through), sentence)
