"""The environment of a daemon, built from nothing; environment files read without giving a tenant root's eyes.

Runs in the manager and in `plan`.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from wsgigroups.config.interpreters import untrusted_component
from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsgigroups.manager.identity import Person

MAXIMUM_FILE_BYTES = 1024 * 1024
PATH = "/usr/local/bin:/usr/bin:/bin"


def build_environment(
    group: str,
    person: Person,
    own: Mapping[str, str],
    files: Sequence[str],
    locale: Mapping[str, str],
    python_home: str | None,
) -> dict[str, str]:
    """HOME, USER, LOGNAME, PATH, locale; then the files in order; then the group's own variables."""
    path = f"{python_home}/bin:{PATH}" if python_home else PATH
    environment = {"USER": person.user_name, "LOGNAME": person.user_name, "PATH": path, "WSGIGROUPS_GROUP": group}
    if person.home:
        environment["HOME"] = person.home
    environment.update(locale)
    for name in files:
        environment.update(_read_file(group, name, person))
    environment.update(own)
    return environment


def _read_file(group: str, name: str, person: Person) -> dict[str, str]:
    text = _read_text(group, name, person)
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    without = sum(value is None for value in values.values())
    if without:  # the lines themselves may be secrets
        raise WsgigroupsError(
            f"cannot use the environment file {name} of group {group!r}: {without} line(s) have no value",
            hint="each line is NAME=VALUE",
        )
    return {key: value for key, value in values.items() if value is not None}


def _read_text(group: str, name: str, person: Person) -> str:
    try:
        if os.geteuid() != 0 or untrusted_component(Path(name)) is None:
            data = _read_here(name)
        else:
            data = _read_as(name, person)
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        text = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WsgigroupsError(f"cannot read the environment file {name} of group {group!r}: {text}") from None


def _read_here(name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        return file.read(MAXIMUM_FILE_BYTES)


def _read_as(name: str, person: Person) -> bytes:
    """Read as the target user: in a directory that a tenant can write, root would follow the tenant's links."""
    program = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read(int(sys.argv[2])))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, name, str(MAXIMUM_FILE_BYTES)],
        user=person.uid,
        group=person.gid,
        extra_groups=list(person.groups),
        env={},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
        check=False,
    )
    if done.returncode:
        raise OSError(0, f"user {person.user_name} cannot read it")
    return done.stdout
