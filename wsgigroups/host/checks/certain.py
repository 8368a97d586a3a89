"""What an apply would fail at on this host for certain, to be refused before anything begins, and warnings. Asks only.

The part of `check_host` that starts no program, reads no file that a site names, and refuses nothing for its permission
bits: access control lists may allow what they forbid. The rest is for `validate`, and for the start of the first new
process.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wsgigroups.config.codes import severity_of
from wsgigroups.config.diagnostics import Severity
from wsgigroups.host.checks.borders import check_sharing
from wsgigroups.host.checks.checking import Checking, members_of
from wsgigroups.host.checks.identity import check_identity
from wsgigroups.host.checks.machine_limits import check_limits, check_listen
from wsgigroups.host.checks.paths import check_presence
from wsgigroups.host.checks.python import check_scripts
from wsgigroups.host.checks.sites import check_gateway
from wsgigroups.host.interface import Asking, Host

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.config.build import Parts
    from wsgigroups.config.diagnostics import Finding


def check_certain(parts: Parts, host: Host) -> list[Finding]:
    """Return what no process could start with on this host, and what is likely not to be meant."""
    asking = Asking(host)
    checking = Checking(parts, asking, asking.privileged())
    members = list(members_of(parts))
    for member in members:
        checking.attempt(lambda member=member: check_identity(checking, member))  # type: ignore[misc]
        checking.attempt(lambda member=member: check_listen(checking, member))  # type: ignore[misc]
        check_presence(checking, member)
        check_scripts(checking, member)
        home = member.group.python_home
        found = asking.environment(home) if home else {}
        if home and "error" in found:
            checking.add("WG0604", (*member.path, "python-home"), str(found["error"]), found["hint"])
    check_gateway(checking, members)
    check_sharing(checking, members)
    checking.attempt(lambda: check_limits(checking, members))
    return [finding for finding in checking.findings if severity_of(finding.code) is not Severity.NOTE]


def certain(host: Host) -> Callable[[Parts], list[Finding]]:
    """Return `check_certain` of one host, for `config.load`."""
    return partial(check_certain, host=host)
