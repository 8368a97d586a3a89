"""Granian: HTTP in Rust, the application on blocking threads.

One runtime thread in the mode that Granian chooses, its default: where two cores are shared with the client, neither
mode is quicker than the other, and a second runtime thread gains nothing; in mode `st` it doubles the blocking threads.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import Job, Peer, backlog, distribution_version

# It knows no size of an answer. Lines go to standard output, which is a file here.
COMBINED = (
    '%(addr)s - - [%(time)s] "%(method)s %(path)s %(protocol)s" %(status)d - '
    '"%(header{referer})s" "%(header{user-agent})s"'
)


class Granian(Peer):
    """Granian's WSGI interface."""

    name = "granian"
    title = "Granian"

    def version(self, environment: Path) -> str:
        return distribution_version(environment, "granian")

    def commands(self, job: Job) -> list[list[str]]:
        return [
            [
                "/usr/bin/env",
                f"PYTHONPATH={job.applications}",
                job.program("granian"),
                "--interface=wsgi",
                "--host=127.0.0.1",
                f"--port={job.port}",
                f"--workers={job.layout.processes}",
                f"--blocking-threads={job.layout.threads}",
                f"--backlog={backlog()}",
                "--http=1",
                "--no-ws",
                "--log-level=error",
                *([] if job.access_log == "off" else ["--access-log", f"--access-log-fmt={COMBINED}"]),
                f"{job.application}:application",
            ]
        ]


PEER = Granian()
