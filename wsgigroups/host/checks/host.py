"""Checks against a host: who runs what there, and whether it can. Asks only; findings by path, as everywhere.

What a host cannot answer (facts recorded without these files) is counted and said once.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wsgigroups.config.diagnostics import Finding
from wsgigroups.host.checks.borders import check_borders
from wsgigroups.host.checks.checking import Checking, members_of
from wsgigroups.host.checks.identity import check_identity, check_ignored
from wsgigroups.host.checks.machine_limits import check_limits, check_listen
from wsgigroups.host.checks.paths import check_paths
from wsgigroups.host.checks.python import applications_of, check_applications, check_interpreter
from wsgigroups.host.checks.sites import check_sites
from wsgigroups.host.interface import Asking, Host

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.config.build import Parts


def check_host(parts: Parts, host: Host) -> list[Finding]:
    """Return what is wrong on this host."""
    asking = Asking(host)
    checking = Checking(parts, asking, asking.privileged())
    members = list(members_of(parts))
    for member in members:
        checking.attempt(lambda member=member: check_identity(checking, member))  # type: ignore[misc]
    for member in members:
        checking.attempt(lambda member=member: check_interpreter(checking, member))  # type: ignore[misc]
        check_paths(checking, member)
        checking.attempt(lambda member=member: check_listen(checking, member))  # type: ignore[misc]
    asking.prepare(
        [
            application
            for member in members
            if member.runnable
            for _path, application in applications_of(checking, member)
        ]
    )
    for member in members:
        check_applications(checking, member)
    check_sites(checking, members)
    check_borders(checking, members)
    checking.attempt(lambda: check_limits(checking, members))
    check_ignored(checking, members)
    if checking.unanswered:
        message = f"{checking.unanswered} checks were left out: the recorded facts do not answer them"
        hint = "record the facts with these files: wsgigroups facts -o json FILE… > facts.json"
        checking.findings.append(Finding("WG0625", (), message, hint))
    return checking.findings


def against(host: Host) -> Callable[[Parts], list[Finding]]:
    """Return `check_host` of one host, for `config.load`."""
    return partial(check_host, host=host)
