"""What every renderer is told of the host that it renders for. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ManagerStart:
    """How the manager is started. Paths are absolute."""

    program: str = "/opt/wsgigroups/bin/wsgigroups"
    options: tuple[str, ...] = ()  # before the command: --run-dir DIR and the like, as far as they were named
    files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    directory: str = "/"  # where the command was called
    log_dir: str = "/var/log/wsgigroups"
    own_dirs: tuple[str, ...] = ()  # run, state and log directory, as far as they were named


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What a renderer is told of the host it renders for."""

    run_dir: Path
    pages: Mapping[str, str]  # what is in the files of error pages, by path
    user: str  # who the gateway is to be, and the group of that account; "" where nobody is named, or it is not known
    group: str
    program: str  # what the program says of how it was built; "": it was not asked
    manager: ManagerStart = field(default_factory=ManagerStart)
    base: str = ""  # the image that a container's image is built on
