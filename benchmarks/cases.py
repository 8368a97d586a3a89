"""What is measured: the cases and the layouts, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One kind of load on one path."""

    name: str
    title: str
    application: str  # module in benchmarks/applications
    path: str
    connections: int = 32
    script: str = "plain.lua"  # in benchmarks/scripts
    close: bool = False  # a connection per request
    idle_connections: int = 0  # kept open beside the load
    slow_heads: int = 0  # connections beside the load that send a byte of a head every two seconds
    fast_ones: bool = False  # latencies are of the requests that do not wait


OURS = "wsgigroups"
REFERENCE = "bjoern"  # what C with one thread can do

CASES = (
    Case("hello", "14-byte answer, 32 keep-alive connections", "plain", "/"),
    Case("large", "64 KiB answer", "plain", "/large"),
    Case("echo", "JSON echo, POST of 4 KiB", "plain", "/echo", script="echo.lua"),
    Case("page", "Django page: template and SQLite query", "page", "/"),
    Case("sleep", "handler that waits 10 ms", "plain", "/sleep/10"),
    Case("burn", "handler that burns 2 ms of CPU", "plain", "/burn/2"),
    Case("mix", "95 % fast, 5 % waiting 100 ms: latency of the fast ones", "plain", "/mixed/", script="mix.lua",
         fast_ones=True),
    Case("calm", "the same mix, each client pausing up to 40 ms: latency of the fast ones", "plain", "/mixed/",
         script="calm.lua", fast_ones=True),
    Case("close", "a connection per request", "plain", "/", close=True),
    Case("idle", "14-byte answer beside 1,000 idle keep-alive connections", "plain", "/", idle_connections=1000),
    Case("paced", "14-byte answer, 200 requests/s of 32 clients", "plain", "/", script="paced.lua"),
    Case("slow", "200 requests/s of 32 clients beside 1,000 that send a byte of a head every 2 s", "plain", "/",
         script="paced.lua", slow_heads=1000),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How many processes of how many threads."""

    processes: int
    threads: int

    @property
    def option(self) -> str:
        """Return it the way the command line spells it."""
        return f"{self.processes}x{self.threads}"

    @property
    def name(self) -> str:
        """Return it the way the tables spell it."""
        return f"{self.processes}×{self.threads}"


LAYOUTS = (Layout(1, 15), Layout(2, 8))
