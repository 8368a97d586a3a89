"""The files of a configuration that nobody named: those that a directory has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.config.reading import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("groups.toml", "groups.yaml", "groups.yml", "groups", "groups.d")
LOOKED_FOR = "groups.toml, groups.yaml, groups/ or groups.d/"


def files_in(directory: Path = Path()) -> tuple[Path, ...]:
    """What there is of NAMES, the one that is meant first.

    A directory counts where it holds a configuration file: a project may well have a package of that name.
    """
    return tuple(_there(directory))


def _there(directory: Path) -> Iterator[Path]:
    for name in NAMES:
        path = directory / name
        try:
            if "." in name and name != "groups.d":
                found = os.path.lexists(path)
            else:
                found = any(os.path.splitext(x)[1] in SUFFIXES and not x.startswith(".") for x in os.listdir(path))
        except OSError:
            found = False
        if found:
            yield path
