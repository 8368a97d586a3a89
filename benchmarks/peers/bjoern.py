"""bjoern: HTTP and WSGI in C, one thread. Not a choice for applications that wait; the mark for what C can do."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cases import Layout
from benchmarks.peers import Job, Peer, backlog, distribution_version

PROGRAM = """
import sys
sys.path.insert(0, {applications!r})
import bjoern
from {application} import application
bjoern.run(application, "127.0.0.1", {port}, listen_backlog={backlog})
"""


class Bjoern(Peer):
    """bjoern, single-threaded reference."""

    name = "bjoern"
    title = "bjoern (one thread)"

    def missing(self, environment: Path) -> str | None:
        if list(environment.glob("lib/python*/site-packages/bjoern*")):
            return None
        return "bjoern is not installed (its build needs gcc, python3-dev and libev-dev)"

    def version(self, environment: Path) -> str:
        return distribution_version(environment, "bjoern")

    def fits(self, layout: Layout) -> bool:
        return layout.processes == 1

    def commands(self, job: Job) -> list[list[str]]:
        script = job.directory / "serve.py"
        words = {
            "applications": str(job.applications),
            "application": job.application,
            "port": job.port,
            "backlog": backlog(),
        }
        script.write_text(PROGRAM.format_map(words))
        return [[job.program("python"), str(script)]]


PEER = Bjoern()
