"""gunicorn with the gthread worker; one connection may idle as long as elsewhere."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import Job, Peer, backlog, distribution_version


class Gunicorn(Peer):
    """gunicorn's threaded worker."""

    name = "gunicorn"
    title = "gunicorn gthread"

    def version(self, environment: Path) -> str:
        return distribution_version(environment, "gunicorn")

    def commands(self, job: Job) -> list[list[str]]:
        options = {
            "worker-class": "gthread",
            "workers": job.layout.processes,
            "threads": job.layout.threads,
            "worker-connections": 4000,
            "keep-alive": 75,
            "backlog": backlog(),
            "bind": f"127.0.0.1:{job.port}",
            "pythonpath": job.applications,
            "worker-tmp-dir": job.directory,
            "log-level": "warning",
        }
        words = [f"--{key}={value}" for key, value in options.items()]
        return [[job.program("gunicorn"), "--no-control-socket", *words, f"{job.application}:application"]]


PEER = Gunicorn()
