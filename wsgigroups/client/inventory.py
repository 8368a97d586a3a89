"""An inventory of Ansible in YAML, as far as it says how machines are reached. Pure.

Groups may have `hosts`, `children` and `vars`. Of the variables these are used: `ansible_host`, `ansible_port`,
`ansible_user`, `ansible_become` and `groups_program`. What is nearer to a host wins: its own variables, those of a
group, those of the group above. Source: "How to build your inventory" of Ansible's documentation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = "wsgigroups"
_ALL = "all"
_MAXIMUM_DEPTH = 32
# what ssh is given as a host or a user: nothing that it or a shell could take for something else
_WORD = re.compile(r"[A-Za-z0-9_.:%@][A-Za-z0-9_.:%@-]{0,254}")
_TRUE = {True, "yes", "true", "on", "True", "Yes"}


@dataclass(frozen=True, slots=True)
class RemoteMachine:
    """How a machine is reached. port, user: None as ssh has it; become: whether sudo runs the command."""

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    become: bool = False
    program: str = PROGRAM


@dataclass(slots=True)
class _Found:
    """Variables of a host: those of its groups by their depth, and its own."""

    inherited: dict[str, tuple[int, Any]] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        return self.own[name] if name in self.own else self.inherited.get(name, (0, None))[1]


def machines_of(data: Mapping[str, Any], source: str) -> list[RemoteMachine]:
    """Return the machines of an inventory, each once. Raises WsgigroupsError (2) for what cannot be used."""
    found: dict[str, _Found] = {}
    whole = _table(data.get(_ALL), _ALL, source)
    _walk(whole, _ALL, {}, 0, found, source)
    above = {key: (0, value) for key, value in _table(whole.get("vars"), "vars of all", source).items()}
    for name, group in data.items():
        if name != _ALL:
            _walk(_table(group, str(name), source), str(name), above, 1, found, source)
    if not found:
        raise _wrong(source, "it has no hosts")
    return [_machine(name, values, source) for name, values in found.items()]


def _walk(
    group: Mapping[str, Any],
    name: str,
    above: Mapping[str, tuple[int, Any]],
    depth: int,
    found: dict[str, _Found],
    source: str,
) -> None:
    if depth > _MAXIMUM_DEPTH:
        raise _wrong(source, f"groups are more than {_MAXIMUM_DEPTH} deep")
    variables = _table(group.get("vars"), f"vars of {name}", source)
    inherited = {**above, **{key: (depth, value) for key, value in variables.items()}}
    for host, own in _table(group.get("hosts"), f"hosts of {name}", source).items():
        here = found.setdefault(str(host), _Found())
        for key, (level, value) in inherited.items():
            if level >= here.inherited.get(key, (0, None))[0]:
                here.inherited[key] = (level, value)
        here.own.update(_table(own, str(host), source))
    for child, below in _table(group.get("children"), f"children of {name}", source).items():
        _walk(_table(below, str(child), source), str(child), inherited, depth + 1, found, source)


def _machine(name: str, values: _Found, source: str) -> RemoteMachine:
    address, user, port = (values.value(f"ansible_{key}") for key in ("host", "user", "port"))
    program = values.value("groups_program")
    for what, word in (("name", name), ("ansible_host", address), ("ansible_user", user)):
        if word is not None and not _WORD.fullmatch(str(word)):
            raise _wrong(source, f"{what} {word!r} of host {name!r} is not a word that ssh can be given")
    if port is not None and not (str(port).isascii() and str(port).isdigit() and 0 < int(port) < 65536):
        raise _wrong(source, f"ansible_port {port!r} of host {name!r} is no port")
    if program is not None and not (isinstance(program, str) and program.isprintable() and "{{" not in program):
        raise _wrong(source, f"groups_program {program!r} of host {name!r} is no path")
    return RemoteMachine(
        name=name,
        address=str(address) if address is not None else name,
        port=int(port) if port is not None else None,
        user=str(user) if user is not None else None,
        become=values.value("ansible_become") in _TRUE,
        program=program or PROGRAM,
    )


def _table(value: Any, what: str, source: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(source, f"{what} is no table of keys and values")
    return value


def _wrong(source: str, why: str) -> WsgigroupsError:
    return WsgigroupsError(
        f"cannot use the inventory {source}: {why}",
        hint="an inventory of Ansible in YAML, in which each host stands by itself and no value is an expression",
        exit_code=ExitCode.USAGE,
    )
