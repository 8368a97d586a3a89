"""The environment of a daemon, built from nothing; environment files read without giving a tenant root's eyes.

Runs in the manager and in `plan`.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from wsgigroups.errors import WsgigroupsError
from wsgigroups.host.environment_files import MAXIMUM_FILE_BYTES, refused_line
from wsgigroups.trust.helpers import Account, read_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsgigroups.targets.identity import Person

PATH = "/usr/local/bin:/usr/bin:/bin"
# variables that every process has, whatever its group asks for
ALWAYS = frozenset({"USER", "LOGNAME", "PATH", "HOME", "WSGIGROUPS_GROUP", "LANG", "LC_ALL"})


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
    refused = refused_line(text)
    if refused:
        raise WsgigroupsError(
            f"cannot use the environment file {name} of group {group!r}: {refused[0]}", hint=refused[1]
        )
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
        account = Account(person.uid, person.gid, person.groups, person.user_name)
        return read_file(name, account, MAXIMUM_FILE_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        text = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WsgigroupsError(f"cannot read the environment file {name} of group {group!r}: {text}") from None
