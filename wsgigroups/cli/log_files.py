"""A log file as it is read: its end, what was written since a time, and what is added while it is followed."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from wsgigroups.cli.log_lines import parsed
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.trust.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.cli.log_lines import LogChoice
    from wsgigroups.client import Client

_TAIL_BYTES = 1024 * 1024  # of a log that is read for its last lines alone
_BLOCK_BYTES = 65536
_OLDER = 100  # renamed logs that are looked at


@dataclass
class FollowedLog:
    """One log file; opened again when it was replaced."""

    path: str
    _file: BinaryIO | None = None

    def last(self, lines: int | None, choice: LogChoice) -> list[str]:
        """Return the last lines that are asked for, None: all of them."""
        found: deque[str] = deque(maxlen=lines)
        if choice.since_s > 0:
            for older in self._renamed(choice.since_s):
                with os.fdopen(open_regular(older), "rb") as renamed:
                    found.extend(choice.of(_texts(_from(renamed, choice.since_s))))
        file = self._open()
        if file is not None:
            size = os.fstat(file.fileno()).st_size
            if choice.since_s > 0:
                _from(file, choice.since_s)
            elif choice.pattern is None and not choice.slots and not choice.group:
                file.seek(max(0, size - _TAIL_BYTES))
            found.extend(choice.of(_texts(file)))
        return list(found)

    def added(self, choice: LogChoice) -> list[str]:
        """Return what is asked for of what was written since the last time."""
        if self._file is None:
            self._open()
        file = self._file
        if file is None:
            return []
        found = file.readlines()
        if not found and self._replaced(file):
            self.close()
        return list(choice.of(_texts(found)))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _renamed(self, since_s: float) -> list[str]:
        """The logs that were renamed and written since then, the oldest first: NAME.2, NAME.1."""
        found = []
        for number in range(1, _OLDER):
            path = f"{self.path}.{number}"
            try:
                if os.stat(path).st_mtime < since_s:
                    break
            except OSError:
                break
            found.append(path)
        return found[::-1]

    def _open(self) -> BinaryIO | None:
        try:
            self._file = os.fdopen(open_regular(self.path), "rb")  # kept open while it is followed
        except FileNotFoundError:
            return None
        except PermissionError:
            raise WsgigroupsError(
                f"cannot read {self.path}: permission denied",
                hint="run the command as the user who started the manager",
                exit_code=ExitCode.NOT_PERMITTED,
            ) from None
        except OSError as error:  # whose manager it is may be anybody, and name anything
            raise WsgigroupsError(f"cannot read {self.path}: {(error.strerror or str(error)).lower()}") from None
        return self._file

    def _replaced(self, file: BinaryIO) -> bool:
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return False
        return now.st_ino != os.fstat(file.fileno()).st_ino or now.st_size < file.tell()


def _texts(lines: BinaryIO | list[bytes]) -> Iterator[str]:
    for line in lines:
        yield line.decode(errors="replace").rstrip("\n")


def _from(file: BinaryIO, since_s: float) -> BinaryIO:
    """Go where the first record since then is, or a little before: by halves, for a log can be large."""
    low, high = 0, os.fstat(file.fileno()).st_size
    while high - low > _BLOCK_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()  # the rest of a line
        time_s = None
        while time_s is None and file.tell() < high:
            line = file.readline()
            if not line:
                break
            time_s = parsed(line.decode(errors="replace")).time_s
        if time_s is None or time_s >= since_s:
            high = middle
        else:
            low = middle
    file.seek(low)
    if low:
        file.readline()
    return file


@dataclass
class ToldLog:
    """The log of a group that its operators may read and its file does not let them: the manager tells it."""

    client: Client
    group: str
    _after: str = ""

    def last(self, lines: int | None, choice: LogChoice) -> list[str]:
        """As `FollowedLog.last`, of the end of the log."""
        return list(deque(choice.of(iter(self._told())), maxlen=lines))

    def added(self, choice: LogChoice) -> list[str]:
        """As `FollowedLog.added`."""
        return list(choice.of(iter(self._told())))

    def _told(self) -> list[str]:
        answer = self.client.log(self.group, self._after)
        self._after = answer["after"]
        return answer["lines"]


def log_of(client: Client, group: str, path: str) -> FollowedLog | ToldLog:
    """Return the log of a group as this user may read it."""
    try:
        os.close(open_regular(path))
    except PermissionError:
        return ToldLog(client, group)
    except OSError:
        pass  # there is none yet
    return FollowedLog(path)
