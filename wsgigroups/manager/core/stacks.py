"""Stacks as text, read: whose each frame is, and those that are not the application's folded. Pure.

Two writers have one form here: `traceback` (the innermost call last) and `faulthandler` (first). The text comes from a
process of a tenant's, or from its log: what does not fit is left out, and everything has a bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from wsgigroups.replacing import replace
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FrameKind = Literal["application", "library", "server"]
MAXIMUM_FRAMES = 12  # of one stack when it is folded, the innermost
_MAXIMUM_READ = 400  # frames of one thread
_MAXIMUM_THREADS = 200
_PLACE, _FUNCTION = 200, 80  # characters
_NAMED = 3  # packages of a fold
_THREAD = re.compile(r"(Current t|T)hread (\S+)(?: \[[^\]]*\])? \(most recent call (first|last)\):")
_FRAME = re.compile(r'\s*File "([^"]+)", line (\d+),? in (.+)')
_SITE = re.compile(r"/(?:site|dist)-packages/([^/]+)")
_STANDARD = re.compile(r"/lib(?:64|32)?/(?:pypy|python)[\d.]+t?/([^/]+)")
_SERVER = "/wsgigroups/runtime/"


@dataclass(frozen=True, slots=True)
class Frame:
    """One call, or several in a row that are not the application's.

    place: file and line; of a fold the names of packages. count: how many calls it is.
    """

    kind: FrameKind
    place: str
    function: str = ""
    count: int = 1

    def __str__(self) -> str:
        if self.function:
            return f"{self.place} in {self.function}"
        return f"({self.count} {'calls' if self.count != 1 else 'call'} in {self.place})"


@dataclass(slots=True)
class ThreadStack:
    """The stack of one thread, unfolded, the innermost call last. name: as it was written, an ident or a name."""

    name: str
    current: bool = False  # the one that a fault came up in
    frames: list[tuple[str, int, str]] = field(default_factory=list)  # file, line, function
    ident: int = 0  # where the name is one


def read(text: str) -> list[ThreadStack]:
    """Return the stacks of a text, in its order; of a thread that is there twice the last."""
    found: dict[str, ThreadStack] = {}
    thread: ThreadStack | None = None
    reverse = False
    for line in text.splitlines():
        head = _THREAD.match(line.strip())
        if head is not None:
            _close(thread, reverse=reverse)
            thread = None
            if len(found) < _MAXIMUM_THREADS or head[2] in found:
                found.pop(head[2], None)
                thread = found[head[2]] = ThreadStack(head[2], bool(head[1] != "T"), ident=_ident(head[2]))
                reverse = head[3] == "first"
            continue
        call = _FRAME.match(line)
        if thread is not None and call is not None and len(thread.frames) < _MAXIMUM_READ:
            thread.frames.append((call[1], int(call[2][:9]), call[3]))
    _close(thread, reverse=reverse)
    return list(found.values())


def without_stacks(lines: Iterable[str]) -> Iterator[str]:
    """Give the lines that are of no stack, nor source below a call: where stacks were read, the others say more.

    Lines are as in a text or as in a log, where all of a record but its first line is indented.
    """
    depth = -1  # of the call before, below which its source stands
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if _FRAME.match(line):
            depth = indent
        elif not (_THREAD.match(line.strip()) or 0 <= depth < indent):
            depth = -1
            yield line


def fold(frames: Sequence[tuple[str, int, str]]) -> tuple[Frame, ...]:
    """Return a stack with the calls of libraries and of the server folded, the innermost call last; its end."""
    folded: list[Frame] = []
    names: list[str] = []
    for file, line, function in frames:
        kind, name = _whose(file)
        if kind == "application":
            place = f"{clean(file)[-_PLACE:]}:{line}"
            folded.append(Frame(kind, place, clean(function)[:_FUNCTION]))
            continue
        if folded and folded[-1].kind == kind:
            if name not in names:
                names.append(name)
            folded[-1] = replace(folded[-1], place=_named(names), count=folded[-1].count + 1)
        else:
            names = [name]
            folded.append(Frame(kind, _named(names)))
    own = next((place for place, frame in enumerate(folded) if frame.kind == "application"), len(folded))
    ours = [place for place, frame in enumerate(folded[:own]) if frame.kind == "server"]
    led = ours[-1] + 1 if ours else 0  # so many lead from the start of the thread to the application
    return tuple(folded[led:][-MAXIMUM_FRAMES:])


def _close(thread: ThreadStack | None, *, reverse: bool) -> None:
    if thread is not None and reverse:
        thread.frames.reverse()


def _ident(name: str) -> int:
    try:
        return int(name, 16) if name.startswith("0x") else 0
    except ValueError:
        return 0


def _whose(file: str) -> tuple[FrameKind, str]:
    if _SERVER in file:
        return "server", "wsgigroups"
    site = _SITE.search(file)
    if site is not None:
        return "library", _package(site[1])
    standard = _STANDARD.search(file)
    if standard is not None:
        return "library", _package(standard[1])
    if file.startswith("<frozen"):
        return "library", "importlib" if "importlib" in file else _package(file.strip("<>").partition(" ")[2])
    return "application", file


def _package(name: str) -> str:
    return clean(name.removesuffix(".py"))[:40]


def _named(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:_NAMED]) + (" and others" if len(known) > _NAMED else "")
