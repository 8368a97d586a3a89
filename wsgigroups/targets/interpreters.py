"""Which interpreter forks a group's processes, and as whom. Executes nothing.

Root starts a spawner as root only with an interpreter that nobody else can change. Any other gets a spawner of the
group's own user, and so does nothing that this user could not do anyway. Runs in the manager and in the command line.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import wsgigroups.runtime
from wsgigroups.errors import WsgigroupsError
from wsgigroups.host.interpreters import can_execute, find_interpreter
from wsgigroups.plan.desired import SpawnerTarget
from wsgigroups.trust.interpreters import doubt_about_interpreter

if TYPE_CHECKING:
    from wsgigroups.config import Group
    from wsgigroups.host.interpreters import Interpreter
    from wsgigroups.targets.identity import Person
    from wsgigroups.trust.judging import Doubt

# the manager's own environment; None: it runs in none
_OWN_ENVIRONMENT = Path(sys.prefix) if sys.prefix != sys.base_prefix else None
RUNTIME = Path(wsgigroups.runtime.__file__).parent


@dataclass(frozen=True, slots=True)
class Chooser:
    """Finds interpreters for the groups of one configuration; each executable is looked at once."""

    root: bool
    per_user: bool  # a spawner for each identity, also with an interpreter of root's
    _judged: dict[Path, Doubt | None] = field(default_factory=dict)
    _found: dict[Path | None, Interpreter] = field(default_factory=dict)
    _entered: dict[tuple[object, ...], Path | bool | None] = field(default_factory=dict)
    _spawners: dict[tuple[object, ...], SpawnerTarget] = field(default_factory=dict)

    def find(self, name: str, group: Group, person: Person) -> tuple[Interpreter, Doubt | None]:
        """Return the base interpreter, and what keeps root from starting it. Raises WsgigroupsError.

        As root the target user must be able to use it.
        """
        python_home = Path(group.python_home) if group.python_home else None
        if python_home is None:
            python_home = _OWN_ENVIRONMENT
        interpreter = self._interpreter(python_home)
        if not self.root:
            return interpreter, None
        doubt = self._doubt_about(interpreter.executable)
        if doubt and group.chroot:
            raise WsgigroupsError(
                f"cannot use the interpreter {interpreter.executable} of group {name!r} with chroot: {doubt}, so it is "
                "started as the group's user, who cannot change the root directory",
                hint="use an environment made with an interpreter of the system, or leave chroot out",
            )
        own = interpreter.kind == "manager"
        needed = [interpreter.executable, Path(os.__file__) if own else None, python_home, RUNTIME if doubt else None]
        for path in needed:
            blocked = self._enters(path, person) if path else True
            if blocked is not True:
                raise WsgigroupsError(
                    f"cannot run group {name!r} as {person.user_name} with {path}: "
                    f"that user cannot enter {blocked if isinstance(blocked, Path) else path}",
                    hint="set python-home to an environment that the user can read, for example one made by "
                    "/usr/bin/python3 -m venv below /srv",
                )
        return interpreter, doubt

    def _interpreter(self, python_home: Path | None) -> Interpreter:
        if python_home not in self._found:
            self._found[python_home] = find_interpreter(python_home)
        return self._found[python_home]

    def _enters(self, path: Path, person: Person) -> Path | bool | None:
        key = (path, person.uid, person.gid, person.groups)
        if key not in self._entered:
            self._entered[key] = can_execute(path, *key[1:])
        return self._entered[key]

    def _doubt_about(self, executable: Path) -> Doubt | None:
        if executable not in self._judged:
            self._judged[executable] = doubt_about_interpreter(executable)
        return self._judged[executable]

    def spawner(
        self, interpreter: Interpreter, locale: dict[str, str], person: Person, doubt: Doubt | None
    ) -> SpawnerTarget:
        """Return the spawner for that interpreter: its key is all that must be the same to share one."""
        lang, lc_all = locale.get("LANG"), locale.get("LC_ALL")
        key = interpreter.executable, lang, lc_all, person, doubt
        known = self._spawners.get(key)
        if known is None:
            known = self._spawners[key] = self._spawner(interpreter, lang, lc_all, person, doubt)
        return known

    def _spawner(
        self, interpreter: Interpreter, lang: str | None, lc_all: str | None, person: Person, doubt: Doubt | None
    ) -> SpawnerTarget:
        version = ".".join(map(str, interpreter.version or ()))
        # a Python that was upgraded in place is another one: what has been started of it would go on forking the old
        material = [str(interpreter.executable), _mark(interpreter.executable), lang or "", lc_all or ""]
        whose = "shared"
        if self.root and (self.per_user or doubt):
            material += [str(person.uid), str(person.gid), ",".join(map(str, person.groups))]
            whose = f"root's, for {person.user_name} alone"
        key = f"{version or 'python'}-{hashlib.sha256(chr(0).join(material).encode()).hexdigest()[:12]}"
        if not doubt:
            return SpawnerTarget(key, str(interpreter.executable), lang, lc_all, version, whose=whose)
        return SpawnerTarget(
            key=key_of_user(key, person.uid),
            executable=str(interpreter.executable),
            lang=lang,
            locale=lc_all,
            version=version,
            uid=person.uid,
            gid=person.gid,
            groups=person.groups,
            whose=f"{person.user_name}'s",
        )


def _mark(executable: Path) -> str:
    """What a file cannot be exchanged without changing."""
    try:
        found = executable.stat()
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def key_of_user(key: str, uid: int) -> str:
    """The key of a spawner that runs as a user: whose it is must be known before a word is exchanged."""
    return f"{key}.u{uid}"


def uid_of_key(key: str) -> int | None:
    """The uid in a key made by `key_of_user`; None: the spawner runs as the manager does."""
    _rest, dot, uid = key.rpartition(".u")
    return int(uid) if dot and uid.isdigit() else None
