"""waitress: pure Python, one process, poll(2) instead of select(2) so that it can hold many connections."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cases import Layout
from benchmarks.peers import Job, Peer, backlog, distribution_version


class Waitress(Peer):
    """waitress-serve."""

    name = "waitress"
    title = "waitress"

    def missing(self, environment: Path) -> str | None:
        return None if (environment / "bin" / "waitress-serve").exists() else "waitress is not installed"

    def version(self, environment: Path) -> str:
        return distribution_version(environment, "waitress")

    def fits(self, layout: Layout) -> bool:
        return layout.processes == 1

    def commands(self, job: Job) -> list[list[str]]:
        return [
            [
                "/usr/bin/env",
                f"PYTHONPATH={job.applications}",
                job.program("waitress-serve"),
                f"--listen=127.0.0.1:{job.port}",
                f"--threads={job.layout.threads}",
                "--connection-limit=4000",
                f"--backlog={backlog()}",
                "--channel-timeout=75",
                "--asyncore-use-poll",
                f"{job.application}:application",
            ]
        ]


PEER = Waitress()
