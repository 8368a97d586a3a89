"""What the dynamic loader reads in a program or library before it runs: elf(5), ld.so(8). Runs nothing.

Runs in the manager and in the checks against a host. Little-endian and big-endian, 32 and 64 bits.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3  # p_type
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29  # d_tag
_MAXIMUM_BYTES = 1 << 20  # of one section that is read
_MAXIMUM_HEADERS = 512


class NotElfError(ValueError):
    """A file that the dynamic loader would not take."""


@dataclass(frozen=True, slots=True)
class LoadedNames:
    """Names as they stand in the file. search: directories of RPATH and RUNPATH, `$ORIGIN` not replaced."""

    interpreter: str = ""
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the fields are, by class of the file."""

    header: struct.Struct  # e_phoff, e_phentsize, e_phnum
    header_at: int
    program: struct.Struct
    fields: tuple[int, int, int, int]  # places of p_type, p_offset, p_vaddr, p_filesz in `program`
    dynamic: struct.Struct


def _layout(bits: int, order: str) -> _Layout:
    if bits == 1:
        return _Layout(
            struct.Struct(order + "I10xHH"), 28, struct.Struct(order + "8I"), (0, 1, 2, 4), struct.Struct(order + "2I")
        )
    return _Layout(
        struct.Struct(order + "Q14xHH"), 32, struct.Struct(order + "2I6Q"), (0, 2, 3, 5), struct.Struct(order + "2Q")
    )


def read_loading(path: str) -> LoadedNames:
    """Return what the loader would follow. Raises NotElfError, OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return _read(fd)
    except struct.error:
        raise NotElfError("it is cut short") from None
    finally:
        os.close(fd)


def _read(fd: int) -> LoadedNames:
    head = os.pread(fd, 64, 0)
    if head[:4] != b"\x7fELF" or len(head) < 52 or head[4] not in (1, 2) or head[5] not in (1, 2):
        raise NotElfError("it is no ELF file")
    layout = _layout(head[4], "<" if head[5] == 1 else ">")
    offset, size, count = layout.header.unpack_from(head, layout.header_at)
    if size < layout.program.size or count > _MAXIMUM_HEADERS:
        raise NotElfError("its program headers cannot be read")
    table = os.pread(fd, size * count, offset)
    segments = []
    for i in range(count):
        values = layout.program.unpack_from(table, i * size)
        segments.append(tuple(values[place] for place in layout.fields))
    interpreter, entries = "", []
    for kind, start, _address, length in segments:
        if kind == _INTERPRETER:
            interpreter = _text(os.pread(fd, min(length, 4096), start), 0)
        elif kind == _DYNAMIC:
            data = os.pread(fd, min(length, _MAXIMUM_BYTES), start)
            whole = len(data) - len(data) % layout.dynamic.size
            entries = list(layout.dynamic.iter_unpack(data[:whole]))
    strings = _strings(fd, entries, segments)
    names = {
        tag: [_text(strings, value) for kind, value in entries if kind == tag] for tag in (_NEEDED, _RPATH, _RUNPATH)
    }
    search = [directory for text in (*names[_RPATH], *names[_RUNPATH]) for directory in text.split(":")]
    return LoadedNames(interpreter, tuple(names[_NEEDED]), tuple(search))


def _strings(fd: int, entries: list[tuple[int, ...]], segments: list[tuple[int, ...]]) -> bytes:
    address = next((value for tag, value in entries if tag == _STRINGS), None)
    if address is None:
        return b""
    for kind, start, first, length in segments:
        if kind == _LOAD and first <= address < first + length:
            return os.pread(fd, min(first + length - address, _MAXIMUM_BYTES), start + address - first)
    raise NotElfError("its names cannot be found")


def _text(data: bytes, start: int) -> str:
    if start >= len(data) and data:
        raise NotElfError("a name lies outside")
    return os.fsdecode(data[start:].split(b"\0", 1)[0])
