"""A configuration as a template of Jinja in which the release is a variable. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.show import as_toml, blocks
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.config import Configuration

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_JINJA = re.compile(r"\{[{%#]")  # what begins an expression, a statement or a comment
_VALUE = re.compile(r"(?m)^(environment\.[^=]+ = ).*$")  # each variable is on a line of its own
_VARIABLE = "{{ groups_release }}"
_FIRST_LINE = "# Ansible writes this file: a change by hand is lost.\n"


@dataclass(frozen=True, slots=True)
class Shipped:
    """What a rollout brings to a machine. directory: where releases are there; template: of the configuration."""

    release: str
    directory: str
    template: str


def shipped(configuration: Configuration) -> Shipped:
    """Return the configuration with its release as a variable. Raises WsgigroupsError (2) where it has not one."""
    release = _release(configuration)
    text = as_toml(list(blocks(configuration, None, defaults=False)))
    below = rf"/releases/{re.escape(release)}(?![A-Za-z0-9._-])"
    # a directory with a quotation mark or a backslash is written with escapes, and is not looked for
    directories = sorted(set(re.findall(rf'"(/[^":\\{{}}]*){below}', text)))
    if len(directories) != 1:
        found = "no path leads there" if not directories else f"it is in {' and in '.join(directories)}"
        raise WsgigroupsError(
            f"cannot tell where machines have release {release!r}: {found}",
            hint=f'let the paths of its code begin with one directory, as in "/srv/shop/releases/{release}"',
            exit_code=ExitCode.USAGE,
        )
    text = _JINJA.sub(lambda found: f"{{{{ '{found[0]}' }}}}", text)
    text = re.sub(below, f"/releases/{_VARIABLE}", text)
    text = re.sub(rf'(?m)^release = "{re.escape(release)}"$', f'release = "{_VARIABLE}"', text)
    return Shipped(release, directories[0], _FIRST_LINE + text)


def covered(text: str) -> str:
    """The template with `…` for the values of variables, which may be secrets; other texts as they are."""
    return _VALUE.sub(r"\1…", text)


def _release(configuration: Configuration) -> str:
    releases = sorted({group.release for group in configuration.all_groups().values() if group.release})
    if len(releases) != 1:
        found = "no group names one" if not releases else f"groups name {', '.join(map(repr, releases))}"
        raise WsgigroupsError(
            f"cannot tell which release to roll out: {found}",
            hint='the groups whose code is shipped have the same `release`, such as "2026-11-23.1"',
            exit_code=ExitCode.USAGE,
        )
    if not _NAME.fullmatch(releases[0]):
        raise WsgigroupsError(
            f"cannot use {releases[0]!r} as the name of a directory",
            hint="up to 64 letters, digits, dots, hyphens and underscores, the first of them a letter or a digit",
            exit_code=ExitCode.USAGE,
        )
    return releases[0]
