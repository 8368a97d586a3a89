"""What every renderer is told of the host that it renders for. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What a renderer is told of the host it renders for."""

    run_dir: Path
    pages: Mapping[str, str]  # what is in the files of error pages, by path
    user: str  # who the gateway is to be, and the group of that account; "" where nobody is named, or it is not known
    group: str
    program: str  # what the program says of how it was built; "": it was not asked
