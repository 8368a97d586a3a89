"""Of a traceback the one frame that matters to who wrote the application: the last one in its own code. Pure."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FRAME = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+)(?:, in .*)?$')
_INSTALLED = re.compile(r"/(?:site|dist)-packages/")


def culprit(traceback: str | None, directory: Path) -> str | None:
    """Return `shop/models.py:8  import nothere`, or None where there is no frame.

    directory: where the project lies; without a frame in it the last one of all matters. What is installed in an
    environment there is not its own code.
    """
    lines = (traceback or "").split("\n")
    frames = _frames(lines)
    if not frames:
        return None
    inside = f"{directory}{os.sep}"
    own = [frame for frame in frames if _is_own(frame[1]["file"], inside)]
    return _shown(lines, (own or frames)[-1]).removeprefix(inside)


def _frames(lines: list[str]) -> list[tuple[int, re.Match[str]]]:
    """The calls of a traceback, each with the number of its line."""
    return [(number, match) for number, line in enumerate(lines) if (match := _FRAME.match(line))]


def _shown(lines: list[str], frame: tuple[int, re.Match[str]]) -> str:
    """One call as `file:line  source`."""
    number, match = frame
    source = lines[number + 1].strip() if number + 1 < len(lines) else ""
    is_source = lines[number + 1].startswith("    ") if source else False
    return f"{match['file']}:{match['line']}  {source}" if is_source else f"{match['file']}:{match['line']}"


def _is_own(file: str, inside: str) -> bool:
    return file.startswith(inside) and not _INSTALLED.search(file)


_THIRD = re.compile(r"/(?:site|dist)-packages/|/lib(?:64|32)?/(?:pypy|python)[\d.]+t?/|/wsgigroups/runtime/|^<")
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:: .*)?$")


def essence(traceback: str | None) -> tuple[str, str] | None:
    """Return `/srv/shop/models.py:8  import nothere` and `ModuleNotFoundError: …`; None for no traceback of an error.

    The place is the last one in the application's own code. What is not there is "".
    """
    lines = (traceback or "").rstrip().split("\n")
    if not any(line.startswith("Traceback (most recent call last)") for line in lines):
        return None
    # what is raised stands at the margin, after the last call; an error's text may have more lines than one
    last_call = max((number for number, line in enumerate(lines) if line.startswith(" ")), default=0)
    raised = next((line for line in lines[last_call:] if _RAISED.match(line)), "")
    own = [frame for frame in _frames(lines) if not _THIRD.search(frame[1]["file"])]
    return _shown(lines, own[-1]) if own else "", raised


def last_words(traceback: str | None) -> str:
    """Return `ModuleNotFoundError: No module named 'bottle' (wsgi.py:1)`; "" for what is no traceback of an error."""
    place, raised = essence(traceback) or ("", "")
    return f"{raised} ({os.path.basename(place.split('  ', 1)[0])})" if raised and place else raised
