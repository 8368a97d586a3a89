"""The nginx of the distribution, where it is the gateway's engine: where it is, what it can do, what it is told.

Runs in the manager and in `plan`. It is asked how it was built as the gateway's user: root executes it never.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.engines.nginx_program import http2_of, lacks, version_of
from wsgigroups.host.programs import find_nginx
from wsgigroups.plan.routing import NginxTarget
from wsgigroups.runtime.wire.spec import Confinement, Filter
from wsgigroups.trust.helpers import TIMEOUT_S, HelperError, run_helper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.config import Configuration
    from wsgigroups.trust.helpers import Account

DIRECTORY = "nginx"  # of the gateway's root
_MOST_BYTES = 65536
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6 (socket(2))
_NAMESPACES = 0x7E020000  # all of clone(2): mount, cgroup, uts, ipc, user, pid, net
_INSTALL = "install it: apt install nginx-light, and leave its service disabled"


@dataclass(frozen=True, slots=True)
class NginxProgram:
    """An nginx on this host. said: of how it was built; written: when its file was: by that packages are told apart."""

    path: str
    said: str
    written: str


def ask_nginx(account: Account | None) -> NginxProgram:
    """Return the nginx that is there. Raises WsgigroupsError."""
    path = find_nginx()
    if not path:
        raise WsgigroupsError('cannot use engine = "nginx": nginx is not installed', hint=_INSTALL)
    found = os.stat(path)
    said = _said(path, (found.st_dev, found.st_ino, found.st_mtime_ns), account)
    problem = lacks(said)
    if problem:
        raise WsgigroupsError(f"cannot use {path} as the gateway: {problem}")
    return NginxProgram(path, said, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.st_mtime)))


@lru_cache(maxsize=4)
def _said(path: str, _place: tuple[int, int, int], account: Account | None) -> str:
    try:
        command = ["/bin/sh", "-c", 'exec "$0" -V 2>&1', path]
        status, output = run_helper(account, command, b"", TIMEOUT_S, _MOST_BYTES)
    except HelperError as error:
        raise WsgigroupsError(f"cannot ask {path} how it was built: {error}") from None
    if status:
        raise WsgigroupsError(f"cannot ask {path} how it was built: it ended with status {status}")
    return output.decode("utf-8", "replace")


def nginx_target(configuration: Configuration, linked: Iterable[str], program: NginxProgram) -> NginxTarget:
    """Return what nginx goes by besides routes. linked: the groups that it asks."""
    gateway, groups = configuration.gateway, configuration.all_groups()
    asked = {name: groups[name] for name in sorted(linked)}
    lines = [max(group.limit_request_line, group.limit_request_field_size) for group in asked.values()]
    return NginxTarget(
        http2=http2_of(program.said) if gateway.http2 else "",
        compression=gateway.compression,
        trusted_proxies=tuple(str(item) for item in gateway.trusted_proxies),
        body_bytes=tuple((name, group.limit_request_body) for name, group in asked.items()),
        line_bytes=max(lines, default=0),
    )


def nginx_texts(target: NginxTarget, program: NginxProgram, confined: Confinement) -> dict[str, str]:
    """Return what a plan says of it, beside what it says of every gateway."""
    limits = {f"links.{name}.limit-request-body": str(limit) for name, limit in target.body_bytes if limit}
    return {
        "program": f"{program.path} ({'.'.join(map(str, version_of(program.said)))} of {program.written})",
        "http2": "true" if target.http2 else "false",
        "compression": "true" if target.compression else "false",
        "read-only-paths": ", ".join(confined.read_only_paths),
        "read-write-paths": ", ".join(confined.read_write_paths),
        "restrict-address-families": "AF_UNIX AF_INET AF_INET6",
        "restrict-namespaces": "true",
        **limits,
    }


def nginx_directory(root: str, uid: int) -> str:
    """Return where a user's keepers have what nginx reads and writes: it is that user's alone (runtime/keeper)."""
    return f"{root}/{DIRECTORY}/{uid}"


def confinement(root: str, uid: int) -> Confinement:
    """What it is kept from, as far as the kernel can: it writes nothing but in its directory."""
    return Confinement(
        read_only_paths=("/",),
        read_write_paths=(nginx_directory(root, uid),),
        address_families=Filter(_FAMILIES, allowed=True),
        namespaces=_NAMESPACES,
    )
