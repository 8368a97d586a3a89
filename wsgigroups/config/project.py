"""The groups file that one project amounts to, for `serve`: what was found, and what was asked for. Pure.

`init` writes a file to go on with, full of advice (config/starter.py); this one says what `serve` runs and no more.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.discovery import folders
from wsgigroups.config.show import literal, toml_key, toml_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from wsgigroups.config.discovery import Found

_SITE = "localhost"  # the only site of its addresses answers for whatever host is asked for
_SOURCES = ("*.py", "*.html")  # code, and the templates that frameworks keep in memory


@dataclass(frozen=True, slots=True)
class Project:
    """One application, where it lies, and how it shall be served. None is what groups have without a word."""

    found: Found
    directory: Path  # absolute
    listen: Sequence[str]
    name: str = ""  # that of the project without one
    processes: int | None = None
    threads: int | None = None
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    patterns: Sequence[str] = ()  # files whose change replaces the processes, below the directory; none: nobody looks
    static: Mapping[str, str] = field(default_factory=dict)  # directories by URL prefix, beside those that were found

    @property
    def group(self) -> str:
        """The name of the group."""
        return self.name or self.found.name

    @property
    def directories(self) -> dict[str, str]:
        """The directories of static files by URL prefix: those that were asked for before those that were found."""
        return {**self.found.static, **self.static}


def source_patterns(directory: Path) -> list[str]:
    """Patterns, relative to the directory, of the files that its author edits: not of what is installed in it.

    Each process looks at all of them once a second, and ** of `reload` leaves out nothing but hidden directories.
    """
    inner, all_of_it = folders(directory)
    if all_of_it:
        return [f"**/{source}" for source in _SOURCES]
    places = ["", *(f"{glob.escape(name)}/**/" for name in inner)]
    return [f"{place}{source}" for source in _SOURCES for place in places]


def absolute_patterns(project: Project) -> list[str]:
    """Return the patterns of a project for `glob`, from the root directory on."""
    return [os.path.join(glob.escape(str(project.directory)), pattern) for pattern in project.patterns]


def groups_file(project: Project, *, base: Path | None = None) -> str:
    """Return the text. base: the directory of the file, where that is the project's: paths are relative then.

    With static files there is a site in it, which has the addresses: a gateway serves it. Without, the group has them.
    """
    found, relative = project.found, base is not None

    def place(path: str) -> str:
        return path if relative else os.path.normpath(os.path.join(project.directory, path))

    lines = [
        f"# {found.what}, as `wsgigroups serve` runs it.",
        "version = 1",
        "",
        f"[groups.{toml_key(project.group)}]",
        *_application(found, place),
    ]
    if not project.directories:
        lines.append(f"listen = {_toml(list(project.listen))}")
    environment = {**found.environment, **project.environment}
    if environment:
        lines.append(f"environment = {_toml(environment)}")
    if project.processes is not None:
        lines.append(f"processes = {project.processes}")
    if project.threads is not None:
        lines.append(f"threads = {project.threads}")
    if project.user is not None:
        lines.append(f"user = {_toml(project.user)}")
    if project.patterns:
        lines.append(f"reload = {_toml(list(project.patterns) if relative else absolute_patterns(project))}")
        if found.script is not None:
            lines.append('script-reloading = "wait"')
        lines.append('graceful-timeout = "1s"')
    else:
        lines.append(
            'request-timeout = "60s"                # ends a process whose requests hang; see request-timeout-mode'
        )
    if project.directories:
        lines += _site(project, place)
    return "\n".join(lines) + "\n"


def _site(project: Project, place: Callable[[str], str]) -> list[str]:
    """The one site of a project with static files."""
    name = toml_key(_SITE)
    lines = ["", f"[sites.{name}]", f"listen = {_toml(list(project.listen))}"]
    lines += ["", f"[[sites.{name}.mounts]]", 'path = "/"', f"process-group = {_toml(project.group)}"]
    for prefix, directory in project.directories.items():
        lines += ["", f"[[sites.{name}.static]]", f"path = {_toml(prefix)}", f"directory = {_toml(place(directory))}"]
    if project.user is not None:
        lines += ["", "[gateway]", f"user = {_toml(project.user)}                # reads the static files"]
    return lines


def _application(found: Found, place: Callable[[str], str]) -> list[str]:
    """What runs and where: the project's directory is the working directory, and is searched for modules first."""
    if found.app is not None:
        lines = [f"app = {_toml(found.app)}"]
    else:
        lines = [f"script = {_toml(place(found.script or ''))}"]
        if found.callable_object != "application":
            lines.append(f"callable-object = {_toml(found.callable_object)}")
    lines.append(f"home = {_toml(place('.'))}")
    if found.python_path != ".":
        lines.append(f"python-path = [{_toml(place(found.python_path))}]")
    if found.python_home:
        lines.append(f"python-home = {_toml(place(found.python_home))}")
    return lines


def _toml(value: object) -> str:
    return toml_value(literal(value))
