"""What an importer may ask of the machine whose files it reads: it touches nothing itself. Pure."""

from __future__ import annotations

import fnmatch
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is to be read. files: absolute paths; command: a command line instead of a file, "" for none.

    defined: what -D of Apache defines, and variables of environments; app: the application, where the files do not name
    it; directory: where a command line is run.
    """

    files: tuple[str, ...] = ()
    command: str = ""
    defined: Mapping[str, str] = field(default_factory=dict)
    app: str = ""
    directory: str = "/"


class ImportSurroundings(Protocol):
    """Files of the machine, and the one program that has to be run to know what a file says."""

    def text(self, path: str) -> str | None:
        """The content of a file, None where there is none to be read."""

    def matching(self, pattern: str) -> list[str]:
        """Paths that a pattern of the shell stands for, sorted."""

    def is_directory(self, path: str) -> bool:
        """Whether it is a directory."""

    def python_settings(self, path: str, directory: str, variables: Mapping[str, str]) -> Mapping[str, Any] | str:
        """Names and values of a Python file after it was run in a process of its own, or why they cannot be had.

        Values are plain data; what is none, as a function, is None under its name.
        """


@dataclass(slots=True)
class GivenFiles:
    """ImportSurroundings of files that are given as texts, and settings that are known: nothing is read or run."""

    files: Mapping[str, str]
    settings: Mapping[str, Mapping[str, Any] | str] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """The text that was given."""
        return self.files.get(posixpath.normpath(path))

    def matching(self, pattern: str) -> list[str]:
        """The given paths that match."""
        return sorted(path for path in self.files if _matches(path, pattern))

    def is_directory(self, path: str) -> bool:
        """Whether a given file is below it."""
        start = path.rstrip("/") + "/"
        return any(name.startswith(start) for name in self.files)

    def python_settings(self, path: str, directory: str, variables: Mapping[str, str]) -> Mapping[str, Any] | str:
        """The settings that were given for this path."""
        return self.settings.get(path, "its settings were not given")


def _matches(path: str, pattern: str) -> bool:
    parts, wanted = path.split("/"), posixpath.normpath(pattern).split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))
