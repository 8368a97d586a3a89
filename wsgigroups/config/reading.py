"""Reading files: once, bounded, regular files only. The only module here that opens configuration files.

Runs in the command line, and in a manager that rereads its files. Never blocks on a FIFO, never reads what is too
large, and notices when a file changes while it is read.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.trust.judging import Trusted
from wsgigroups.trust.walking import untrusted_component

if TYPE_CHECKING:
    from pathlib import Path

MAXIMUM_FILE_BYTES = 2 * 1024 * 1024  # several thousand groups
MAXIMUM_TOTAL_BYTES = 8 * 1024 * 1024
_WHOLE = "write a new file beside it and rename that over it, so that readers see the old or the new one"

SETTLE_S = 0.02
SETTLE_ATTEMPTS = 5
SUFFIXES = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}

_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass
class Problem(Exception):  # noqa: N818  (not an error of ours: a finding on its way to the loader)
    """Why a file cannot be used; the loader makes a diagnostic of it."""

    code: str
    message: str
    hint: str | None = None
    offset: int | None = None  # in characters
    text: str = ""


def read_text(path: Path, left_bytes: int = MAXIMUM_TOTAL_BYTES, *, settle: bool = False) -> str:
    """Return the text of a file. settle: wait until nobody has written to it for a moment. Raises Problem."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        hint = "check the name" if isinstance(error, FileNotFoundError) else None
        raise Problem("WG0101", f"cannot open {path}: {reason(error)}", hint) from None
    except ValueError:
        raise Problem("WG0101", "cannot open a file whose name holds a NUL character") from None
    try:
        before = _settled(fd) if settle else os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            what = "a directory" if stat.S_ISDIR(before.st_mode) else "a FIFO, socket or device"
            raise Problem("WG0102", f"cannot read {path}: it is {what}, not a regular file")
        _check_size(before.st_size, left_bytes)
        limit = min(MAXIMUM_FILE_BYTES, left_bytes)
        data = _read_all(fd, limit)
        os.lseek(fd, 0, os.SEEK_SET)
        # read twice: the clock of file times is too coarse to show every write
        same = _read_all(fd, limit) == data
        after = os.fstat(fd)
        if not same or _changed(before, after) or len(data) != after.st_size:
            raise Problem(
                "WG0120",
                f"{path} changed while it was read",
                _WHOLE,
            )
    except OSError as error:
        raise Problem("WG0101", f"cannot read {path}: {reason(error)}") from None
    finally:
        os.close(fd)
    return decode(data)


def read_stdin() -> str:
    """Return the text on standard input. Raises Problem."""
    if sys.stdin is None:  # the process was started with descriptor 0 closed
        raise Problem("WG0101", "cannot read standard input: it is closed", "pipe the configuration into the command")
    try:
        data = sys.stdin.buffer.read(MAXIMUM_FILE_BYTES + 1)
    except OSError as error:  # a directory, or open for writing only
        raise Problem("WG0101", f"cannot read standard input: {reason(error)}") from None
    _check_size(len(data), MAXIMUM_TOTAL_BYTES)
    return decode(data)


def decode(data: bytes) -> str:
    """UTF-8 without a byte order mark. Raises Problem."""
    if data.startswith(_BOMS):
        raise Problem("WG0105", "the file begins with a byte order mark", "save it as UTF-8 without one", 0, "\ufeff")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        raise Problem(
            "WG0104",
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
            len(before),
            data[: error.start + 200].decode("utf-8", "replace"),
        ) from None
    if not text.strip():
        raise Problem("WG0112", "the file is empty", "the least is: version = 1 and one [groups.NAME]", 0, text)
    return text


def working_directory() -> str:
    """Return the directory that relative names start at. Raises Problem where it was removed."""
    try:
        return os.getcwd()
    except OSError as error:
        raise Problem(
            "WG0101",
            f"cannot tell the working directory: {reason(error)}",
            "change to a directory that exists, or name files by their whole paths",
        ) from None


def reason(error: OSError) -> str:
    """What the system says, as the end of a sentence."""
    return (error.strerror or "no reason given").lower()


def untrusted(path: Path) -> Path | None:
    """As root: the first component of the file's path that another user could change. Everybody else: None."""
    if os.geteuid() != 0:
        return None
    return untrusted_component(path, max(trusted_to_name().uids))


def trusted_to_name() -> Trusted:
    """Whose files root reads because it was told to: its own, and those of the user that sudo names, who tells it."""
    sudo = os.environ.get("SUDO_UID", "")
    uid = int(sudo) if sudo.isascii() and sudo.isdigit() and len(sudo) < 11 else 0
    return Trusted(frozenset({0, uid}))


def _settled(fd: int) -> os.stat_result:
    """Wait a little until the last write is not just now: half a file must not pass for a whole one. Raises Problem."""
    for _attempt in range(SETTLE_ATTEMPTS):
        found = os.fstat(fd)
        if not 0 <= time.time() - found.st_mtime < SETTLE_S:
            return found
        time.sleep(SETTLE_S)
    raise Problem("WG0120", "the file is written to all the time", _WHOLE)


def _check_size(size: int, left_bytes: int) -> None:
    if size > MAXIMUM_FILE_BYTES:
        raise Problem(
            "WG0103",
            f"the file has {size} bytes, at most {MAXIMUM_FILE_BYTES} are read",
            "spread it over several files with include",
        )
    if size > left_bytes:
        raise Problem("WG0103", f"all files together have more than {MAXIMUM_TOTAL_BYTES} bytes")


def _read_all(fd: int, limit: int) -> bytes:
    chunks = []
    size = 0
    while size <= limit:
        chunk = os.read(fd, min(1 << 16, limit + 1 - size))
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file was written to. That another took its name, as is asked for, changes its ctime and its links."""
    if _state(before) != _state(after):
        return True
    return before.st_nlink == after.st_nlink and before.st_ctime_ns != after.st_ctime_ns


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns
