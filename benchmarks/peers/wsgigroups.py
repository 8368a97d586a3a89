"""wsgigroups itself, through its command line alone: `apply` of a generated file with directories of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.cases import OURS
from benchmarks.peers import Job, Peer, backlog

CONFIGURATION = """
version = 1

[groups.bench]
app = "{application}:application"
python-path = ["{applications}"]
listen = ["127.0.0.1:{port}"]
processes = {processes}
threads = {threads}
listen-backlog = {backlog}
access-log = "{access_log}"
"""


class Wsgigroups(Peer):
    """The group `bench`."""

    name = OURS
    title = OURS

    def missing(self, environment: Path) -> str | None:
        return None if (environment / "bin" / "wsgigroups").exists() else "wsgigroups is not installed"

    def version(self, environment: Path) -> str:
        told = subprocess.run([str(environment / "bin" / "wsgigroups"), "--version"], capture_output=True, text=True,
                              check=True).stdout  # fmt: skip
        return told.split()[-1]

    def commands(self, job: Job) -> list[list[str]]:
        configuration = job.directory / "groups.toml"
        configuration.write_text(
            CONFIGURATION.format(
                access_log=job.access_log,
                application=job.application,
                applications=job.applications,
                backlog=backlog(),
                port=job.port,
                processes=job.layout.processes,
                threads=job.layout.threads,
            )
        )
        return [[*program(job), "run", str(configuration)]]

    def roots(self, job: Job, started: list[int]) -> list[int]:
        status = read_status(job)
        daemons = [process["pid"] for group in status["groups"] for process in group["processes"] if process["pid"]]
        return [*started, status["manager"]["pid"], *daemons]

    def finish(self, job: Job) -> None:
        # as its user: a command of root's sends nothing into a directory that is somebody else's
        subprocess.run(
            [*program(job), "shutdown", "--now"],
            cwd=job.directory,
            capture_output=True,
            check=False,
            timeout=60,
            **job.account.popen_arguments(),
        )


def program(job: Job) -> list[str]:
    """Return the command with the directories of this job."""
    directories = [f"--{name}-dir={job.directory / name}" for name in ("run", "state", "log")]
    return [job.program("wsgigroups"), *directories]


def read_status(job: Job) -> dict[str, Any]:
    """Return what `status` tells."""
    told = subprocess.run([*program(job), "status", "-o", "json"], capture_output=True, text=True, check=True).stdout
    status: dict[str, Any] = json.loads(told)
    return status


PEER = Wsgigroups()
