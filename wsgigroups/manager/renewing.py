"""Certificates that are renewed: looked for in the files of sites, and used without an apply and without a new process.

Runs in the manager's only thread; files are read in another. One that cannot be used is told once, and the one before
stays.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.renewing import renewed
from wsgigroups.manager import gateway_root
from wsgigroups.manager.core import model
from wsgigroups.plan.routing import CERTIFICATE_DIRECTORY, GATEWAY, CertificateTarget
from wsgigroups.trust.certificates import PairError, read_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.manager.applying import Applying
    from wsgigroups.plan.desired import GroupTarget

PERIOD_S = 10.0
_Look = tuple[tuple[int, int, int], ...]  # device, number and time of change of each file


@dataclass(slots=True)
class CertificateWatch:
    """Looks at the files now and then."""

    applying: Applying
    log: Callable[[str, str], None]
    _seen: dict[tuple[str, str], _Look] = field(default_factory=dict)  # by the paths of certificate and key

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            await self.look()

    async def look(self) -> None:
        """Take over what was renewed since the last look."""
        shell = self.applying.shell
        group = shell.state.groups.get(GATEWAY)
        if group is None or group.bare or group.target.routing is None or shell.state.transaction or group.removing:
            return
        target = group.target
        found, problems = await asyncio.to_thread(self._find, target)
        for problem in problems:
            self.log("error", f"{GATEWAY}: a new certificate cannot be used, the one before stays: {problem}")
        now = shell.state.groups.get(GATEWAY)
        if not found or now is None or now.target is not target or shell.state.transaction or shell.state.stopping:
            return
        shell.dispatch(model.Rerouted(renewed(target, found)))
        for new in found.values():
            self.log("info", f"{GATEWAY}: {new.certificate} was renewed, and is in use now")
        self.applying.save()

    def _find(self, target: GroupTarget) -> tuple[dict[str, CertificateTarget], list[str]]:
        """Return what is in the place of which certificate by now, and what cannot be used."""
        routing = target.routing
        found: dict[str, CertificateTarget] = {}
        problems: list[str] = []
        for item in routing.certificates if routing else ():
            files = item.certificate, item.key
            try:
                look = tuple(_look_at(path) for path in files)
            except OSError:
                continue  # in this moment there is none: its successor comes
            if self._seen.get(files) == look:
                continue
            self._seen[files] = look
            try:
                pair = read_pair(*files, gateway_root.account_of(target))
                if pair.name != item.name:
                    new = CertificateTarget(pair.name, *files, pair.expires_at)
                    assert routing is not None
                    gateway_root.write_pair(os.path.join(routing.root, CERTIFICATE_DIRECTORY), new, target)
                    found[item.name] = new
            except (PairError, WsgigroupsError) as error:
                problems.append(str(error))
        return found, problems


def _look_at(path: str) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns
