"""Everything at once under each Python: the application is imported and serves, and nothing is left out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest
from support.attempts import tenant_of
from support.interpreters import present
from support.processes import Manager

from wsgigroups.config import Configuration
from wsgigroups.runtime.confinement import landlock
from wsgigroups.targets.confinement import confinement_of

EVERYTHING = {
    "confinement": "required",
    "read-only-paths": ["/"],
    "protect-home": "yes",
    "protect-system": "strict",
    "private-devices": True,
    "restrict-address-families": ["AF_UNIX", "AF_INET", "AF_INET6"],
    "restrict-namespaces": True,
    "system-call-filter": ["@system-service"],
}
WORKS = {
    "import colorsys, decimal, sqlite3, asyncio, email.mime.text": "done",
    "asyncio_done = __import__('asyncio').run(__import__('asyncio').sleep(0))": "done",
    "import multiprocessing; multiprocessing.Lock()": "EACCES",  # in /dev/shm, which is read-only with everything
    "subprocess.run(['/bin/true'], check=True)": "done",
    "open('/tmp/x', 'w')": "EROFS",
}


def _possible() -> bool:
    options = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-user=1000", "--mount"]
    return subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(landlock.abi() < 3 or not _possible(), reason="takes Landlock and mount namespaces")
@pytest.mark.parametrize("version", present())
def test_everything_at_once(managers: Callable[..., Manager], version: str) -> None:
    group = {"app": "a:b", **EVERYTHING}
    wanted = confinement_of(Configuration.from_document({"version": 1, "groups": {"a": group}}).groups["a"])
    manager = managers(version)
    manager.start()
    with tenant_of(manager) as tenant:
        life = tenant.start(wanted)
        assert {state for state, _reason in life.report.values()} == {"enforced"}  # type: ignore[attr-defined]
        assert len(life.report) == 7  # type: ignore[attr-defined]
        assert tenant.outcomes(life, WORKS) == WORKS
        assert manager.drain(life).exit_code == 0
