"""Files of other programs on this machine, for `import`: read here, and those in Python run in a process of their own.

Such a file may be anybody's, and it names others. As root what another user could have named is read as that user: else
it would show everybody's files in what is written, and have one user's program run with what another one has put beside
it.
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import pwd
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgigroups.config.reading import trusted_to_name
from wsgigroups.trust.helpers import STRANGER, Account, HelperError, matching_as, read_as, run_helper
from wsgigroups.trust.regular import open_regular
from wsgigroups.trust.walking import NOBODY, others_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_MAXIMUM_TEXT_BYTES = 4 * 1024 * 1024
_MAXIMUM_ANSWER_BYTES = 4 * 1024 * 1024
_MAXIMUM_MATCHES = 10_000
_TIMEOUT_S = 20.0
_PASSED_ON = ("PORT", "WEB_CONCURRENCY", "HOME", "LANG", "TZ")  # what settings ask for, beside what -D gives


class ForeignFiles:
    """What importers ask of this machine. python: the interpreter that runs files of settings.

    named: the files that the person has named; all others are named by what stands in files.
    """

    def __init__(self, python: str | None = None, named: Collection[str] = ()) -> None:
        self._python = python or sys.executable
        self._named = frozenset(named)
        self._others: set[int] = set()  # as root: who could have written what was read so far
        self._texts: dict[str, str | None] = {}

    def text(self, path: str) -> str | None:
        """The content of a regular file of at most 4 MiB; what is not UTF-8 in it is replaced."""
        if path not in self._texts:
            try:
                data = self._read(path)
            except (OSError, ValueError):
                data = None
            self._texts[path] = None if data is None else data.decode("utf-8-sig", "replace")
        return self._texts[path]

    def matching(self, pattern: str) -> list[str]:
        """Paths that match, sorted; at most 10,000."""
        if not self._others:
            return sorted(itertools.islice(glob.iglob(pattern), _MAXIMUM_MATCHES))
        try:
            seen = [matching_as(pattern, _account(uid), _MAXIMUM_MATCHES) for uid in sorted(self._others)]
        except (HelperError, ValueError):
            return []
        return sorted(set(seen[0]).intersection(*seen[1:]))

    def is_directory(self, path: str) -> bool:
        """Whether it is a directory."""
        if not self._others:
            return os.path.isdir(path)
        return bool(self.matching(f"{glob.escape(path)}/"))

    def python_settings(self, path: str, directory: str, variables: Mapping[str, str]) -> Mapping[str, Any] | str:
        """The names that a file of settings sets, or why they are not known."""
        text = self.text(path)
        if text is None:
            return "it cannot be read"
        account = None
        if os.geteuid() == 0:
            users = self._others | _others_of([path, directory])
            if len(users) > 1:
                return "it is not run: more than one user could change it, its directory or what names it"
            account = _account(*users or {NOBODY})
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

    def _read(self, path: str) -> bytes | None:
        """Read a file here, or as root as each of those who could have named it, or could change its path."""
        others = _others_of([path]) if os.geteuid() == 0 else set()
        readers = others & _others_of([_way_to(path)])
        if path not in self._named:
            readers |= self._others
        found = [read_as(path, _account(uid), _MAXIMUM_TEXT_BYTES) for uid in sorted(readers)]
        if any(data != found[0] for data in found):
            return None  # it was exchanged meanwhile
        data = found[0] if found else _read_here(path)
        self._others |= others
        return data


def _others_of(paths: Iterable[str]) -> set[int]:
    return {uid for path in paths for uid in others_of(os.path.abspath(path), trusted_to_name())}


def _account(uid: int) -> Account:
    """Whose eyes are used for a user. One whom the machine does not know has no groups."""
    if uid == NOBODY:
        return STRANGER
    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, STRANGER.gid)
    groups = {*os.getgrouplist(known.pw_name, known.pw_gid)} - {known.pw_gid}
    return Account(uid, known.pw_gid, tuple(sorted(groups)), known.pw_name)


def _way_to(path: str) -> str:
    """What has to be nobody else's for the file at a path to stay the one that it is, whoever may write to that."""
    above = os.path.dirname(os.path.abspath(path))
    try:
        shared = os.stat(above).st_mode & stat.S_ISVTX
    except OSError:
        shared = stat.S_ISVTX
    return path if shared or os.path.islink(path) else above


def _read_here(path: str) -> bytes | None:
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(_MAXIMUM_TEXT_BYTES + 1)
    return data if len(data) <= _MAXIMUM_TEXT_BYTES else None
