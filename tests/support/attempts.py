"""An application that does to its system what a test asks for, and says with which errno that ended.

Each attempt is a piece of Python in the path of a request. The same attempt is made by a process without confinement
first, where it has to work: else its failure would prove nothing.
"""

from __future__ import annotations

import os
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any
from urllib.parse import quote

from support.processes import Life, Manager
from support.users import ALICE

from wsgigroups.runtime.wire.spec import Application, Confinement

SOURCE = textwrap.dedent("""
    import ctypes, errno, os, socket, subprocess, sys, threading
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long

    def call(number, *arguments):
        values = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
        result = libc.syscall(ctypes.c_long(number), *values)
        if result < 0:
            raise OSError(ctypes.get_errno(), "refused")
        return result

    def attempt(code):
        names = {"outcome": "done", "call": call, **globals()}
        try:
            exec(code, names)
        except OSError as error:
            return errno.errorcode[error.errno]
        except Exception as error:
            return repr(error)
        return str(names["outcome"])

    def application(environ, start_response):
        body = attempt(environ["PATH_INFO"][1:].encode("latin-1").decode()).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
""")


class Tenant:
    """A place of the tenant's and an application in it, outside of /tmp."""

    def __init__(self, manager: Manager, directory: Path) -> None:
        self.manager = manager
        self.directory = directory
        script = directory / "attempts.wsgi"
        script.write_text(SOURCE)
        self.application = Application("script", str(script))
        self.own(directory)
        self.own(script)

    def own(self, path: Path) -> Path:
        """Give a path to the tenant."""
        if os.geteuid() == 0:
            os.chown(path, ALICE, ALICE)
        return path

    def start(self, confinement: Confinement = Confinement(), **changes: Any) -> Life:  # noqa: B008 - frozen
        """A process that is ready; `report` of it is what it says of its confinement."""
        life = self.manager.fork(self.application, confinement=confinement, **changes)
        life.report = life.ready().confinement  # type: ignore[attr-defined]
        return life

    def outcomes(self, life: Life, attempts: Mapping[str, object]) -> dict[str, str]:
        """What became of each attempt."""
        found = {}
        for code in attempts:
            status, body = life.get("/" + quote(textwrap.dedent(code)))
            assert status == 200, (status, body, life.log)
            found[code] = body.decode()
        return found

    def check(
        self, confinement: Confinement, attempts: Mapping[str, str], prepare: Callable[[], object], **changes: Any
    ) -> Life:
        """Make the attempts without confinement, where all work, and with it, where each ends as it should.

        prepare: make anew what an attempt may have used up.
        """
        prepare()
        free = self.start(**changes)
        assert set(self.outcomes(free, attempts).values()) == {"done"}, self.outcomes(free, attempts)
        self.manager.drain(free)
        prepare()
        confined = self.start(confinement, **changes)
        found = self.outcomes(confined, attempts)
        assert found == dict(attempts), {code: (how, attempts[code]) for code, how in found.items()}
        return confined


@contextmanager
def tenant_of(manager: Manager) -> Iterator[Tenant]:
    """A tenant in a directory that no option for /tmp concerns."""
    directory = Path(tempfile.mkdtemp(prefix="wsgigroups-tenant-", dir="/dev/shm"))
    directory.chmod(0o755)
    try:
        yield Tenant(manager, directory)
    finally:
        rmtree(directory)
