"""Files of other programs on this machine, for `import`: read here, and those in Python run in a process of their own.

As root such a file is run as its owner, and where that is root as a user who owns nothing: it is a program.
"""

from __future__ import annotations

import glob
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgigroups.trust.helpers import Account, HelperError, run_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRANGER = Account(2**32 - 2, 2**32 - 2)  # the last number there is: a user who owns nothing and has no groups
_MAXIMUM_TEXT_BYTES = 4 * 1024 * 1024
_MAXIMUM_ANSWER_BYTES = 4 * 1024 * 1024
_MAXIMUM_MATCHES = 10_000
_TIMEOUT_S = 20.0
_PASSED_ON = ("PORT", "WEB_CONCURRENCY", "HOME", "LANG", "TZ")  # what settings ask for, beside what -D gives


class ForeignFiles:
    """What importers ask of this machine. python: the interpreter that runs files of settings."""

    def __init__(self, python: str | None = None) -> None:
        self._python = python or sys.executable

    def text(self, path: str) -> str | None:
        """The content of a regular file of at most 4 MiB; what is not UTF-8 in it is replaced."""
        found = _read(path)
        return None if found is None else found[0]

    def matching(self, pattern: str) -> list[str]:
        """Paths that match, sorted; at most 10,000."""
        return sorted(glob.glob(pattern))[:_MAXIMUM_MATCHES]

    def is_directory(self, path: str) -> bool:
        """Whether it is a directory."""
        return os.path.isdir(path)

    def python_settings(self, path: str, directory: str, variables: Mapping[str, str]) -> Mapping[str, Any] | str:
        """The names that a file of settings sets, or why they are not known."""
        found = _read(path)
        if found is None:
            return "it cannot be read"
        text, account = found
        question = {
            "path": path,
            "text": text,
            "directory": directory,
            "variables": {**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **variables},
        }
        program = Path(__file__).with_name("settings_program.py").read_text("utf-8")
        try:
            status, output = run_helper(
                account,
                [self._python, "-I", "-c", program],
                json.dumps(question).encode(),
                _TIMEOUT_S,
                _MAXIMUM_ANSWER_BYTES,
            )
            answer = json.loads(output)
        except HelperError as error:
            return str(error)
        except (ValueError, RecursionError):
            return f"its process ended with status {status}"
        if not isinstance(answer, dict) or not isinstance(answer.get("settings"), dict):
            return (
                str(answer.get("error", "it gave no settings")) if isinstance(answer, dict) else "it gave no settings"
            )
        settings: dict[str, Any] = answer["settings"]
        return settings


def _read(path: str) -> tuple[str, Account | None] | None:
    """The content of a regular file, and who runs it: whoever asks, and for root the owner of what was read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):
        return None
    status = os.fstat(fd)  # of what is open: its path may lead elsewhere by now
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        return None
    with os.fdopen(fd, "rb") as file:
        data = file.read(_MAXIMUM_TEXT_BYTES + 1)
    if len(data) > _MAXIMUM_TEXT_BYTES:
        return None
    account = None
    if os.geteuid() == 0:
        account = Account(status.st_uid, status.st_gid) if status.st_uid else _STRANGER
    return data.decode("utf-8-sig", "replace"), account
