"""uWSGI (the pyuwsgi wheel) speaking HTTP itself: `http-socket`, its documented way, closes after each answer.

It does not say so by itself, and clients would take that for an error.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import Job, Peer, backlog, distribution_version

COMBINED = '%(addr) - - [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(rsize) "%(referer)" "%(uagent)"'


def common_options(job: Job) -> dict[str, object]:
    """Return the options that both uses of uWSGI share."""
    return {
        "master": "true",
        "die-on-term": "true",
        "need-app": "true",
        "processes": job.layout.processes,
        "threads": job.layout.threads,
        "listen": backlog(),
        "thunder-lock": "true",
        "pythonpath": job.applications,
        "virtualenv": job.environment,
        "module": f"{job.application}:application",
        **({"disable-logging": "true"} if job.access_log == "off" else {"log-format": COMBINED}),
    }


def write_ini(job: Job, options: dict[str, object]) -> str:
    """Write the file and return its path."""
    path = job.directory / "uwsgi.ini"
    path.write_text("[uwsgi]\n" + "".join(f"{key} = {value}\n" for key, value in options.items()))
    return str(path)


class Uwsgi(Peer):
    """uWSGI's own HTTP socket."""

    name = "uwsgi"
    title = "uWSGI http-socket"
    socket_option = "http-socket"
    further_options: dict[str, object] = {"add-header": "Connection: close"}  # noqa: RUF012 — nobody changes it

    def missing(self, environment: Path) -> str | None:
        return None if (environment / "bin" / "uwsgi").exists() else "uwsgi is not installed"

    def version(self, environment: Path) -> str:
        return distribution_version(environment, "pyuwsgi")

    def commands(self, job: Job) -> list[list[str]]:
        options = {**common_options(job), **self.further_options, self.socket_option: f"127.0.0.1:{job.port}"}
        return [[job.program("uwsgi"), "--ini", write_ini(job, options)]]


PEER = Uwsgi()
