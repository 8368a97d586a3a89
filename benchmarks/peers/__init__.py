"""The servers that are measured: one file each, all with the same four facts.

A peer says why it is not available here, writes its configuration, and gives the command that serves in the foreground;
starting, readiness and stopping are the same for all of them (`benchmarks/serving.py`).
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import OURS, Layout
from tools.facts import Account

NAMES = (
    OURS,
    "granian",
    "bjoern",
    "gunicorn",
    "waitress",
    "uwsgi",
    "uwsgi_keepalive",
    "mod_wsgi",
    "nginx_uwsgi",
)
BACKLOG = 4096


@dataclass(frozen=True)
class Job:
    """One start of a server."""

    application: str  # module in the directory `applications`
    layout: Layout
    port: int
    directory: Path  # for configuration, sockets and logs of this start; the account may write it
    applications: Path  # the directory with the applications, readable for the account
    environment: Path  # the virtual environment of the peers
    account: Account  # whom the server runs as
    access_log: str = "off"  # or the format, among those that a case asks of this peer

    def program(self, name: str) -> str:
        """Return the path of a program of the environment."""
        return str(self.environment / "bin" / name)


class Peer(ABC):
    """A server that can be measured."""

    name: str
    title: str

    def missing(self, environment: Path) -> str | None:
        """Return None when the server can be run here, else the reason."""
        program = environment / "bin" / self.name
        return None if program.exists() else f"{program.name} is not installed"

    def fits(self, layout: Layout) -> bool:
        """Tell whether the server has such a layout."""
        return layout.processes > 0

    @abstractmethod
    def version(self, environment: Path) -> str:
        """Return the version that is measured."""

    @abstractmethod
    def commands(self, job: Job) -> list[list[str]]:
        """Write what is needed into the job's directory and return the commands that serve in the foreground."""

    def roots(self, job: Job, started: list[int]) -> list[int]:
        """Return the processes whose trees serve; `started` are the pids of the commands."""
        return started

    def finish(self, job: Job) -> None:  # noqa: B027 — most have nothing to do here
        """Stop what is not below the commands."""


def load(name: str) -> Peer:
    """Return the peer of that name."""
    found = importlib.import_module(f"benchmarks.peers.{name}")
    peer: Peer = found.PEER
    return peer


def backlog() -> int:
    """Return the length of the queue of new connections that every server asks for: no more than the kernel gives."""
    return min(BACKLOG, int(Path("/proc/sys/net/core/somaxconn").read_text()))


def distribution_version(environment: Path, name: str) -> str:
    """Return the version of an installed distribution by the name of its metadata directory."""
    for path in environment.glob(f"lib/python*/site-packages/{name}-*.dist-info"):
        return path.name[len(name) + 1 : -len(".dist-info")]
    return "unknown"
