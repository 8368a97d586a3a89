"""What is measured: the cases, in the order of the documents, and the layouts, as data."""

from __future__ import annotations

from dataclasses import dataclass


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


ALONE = Layout(1, 15)
SIBLINGS = Layout(2, 8)
LAYOUTS = (ALONE, SIBLINGS)

OURS = "wsgigroups"
REFERENCE = "bjoern"  # what C with one thread can do
RIVALS = ("granian", "uwsgi_keepalive")  # the quickest of those that people would use instead


@dataclass(frozen=True)
class Case:
    """One kind of load on one path, and how often and long it is measured unless the command line says otherwise."""

    name: str
    title: str
    application: str  # module in benchmarks/applications
    path: str
    connections: int = 32
    script: str = "plain.lua"  # in benchmarks/scripts
    close: bool = False  # a connection per request
    secure: bool = False  # TLS
    idle_connections: int = 0  # kept open beside the load
    slow_heads: int = 0  # connections beside the load that send a byte of a head every two seconds
    fast_ones: bool = False  # latencies are of the requests that do not wait
    access_log: str = "off"  # the format in which the server logs every request to a file
    layouts: tuple[Layout, ...] = LAYOUTS
    peers: tuple[str, ...] = ()  # with which it is measured; empty: with all
    rounds: int = 3
    rounds_of_rivals: int = 3  # … of wsgigroups and its RIVALS: what targets are about is to be known better
    seconds: float = 1.0

    def rounds_of(self, peer: str) -> int:
        """Return how many rounds a server is measured in this case."""
        return self.rounds_of_rivals if peer == OURS or peer in RIVALS else self.rounds


CASES = (
    Case("varied", "every request different, a JSON answer that differs too", "plain", "/items/", script="varied.lua",
         rounds_of_rivals=5, seconds=2.0),
    Case("flask", "Flask: a route with a converter, JSON, every request different", "flask_site", "/items/",
         script="varied.lua", rounds_of_rivals=5, seconds=2.0),
    Case("django", "Django: a page from a template, every request different", "django_page", "/items/",
         script="varied.lua", rounds_of_rivals=5, seconds=2.0),
    Case("common", "every request different, logged in the common format", "plain", "/items/", script="varied.lua",
         access_log="common", peers=(OURS,)),
    Case("combined", "every request different, logged in the combined format", "plain", "/items/",
         script="varied.lua", access_log="combined", peers=(OURS, *RIVALS)),
    Case("json", "every request different, logged as JSON", "plain", "/items/", script="varied.lua",
         access_log="json", peers=(OURS,)),
    Case("echo", "JSON echo, POST of 4 KiB", "plain", "/echo", script="echo.lua", layouts=(ALONE,)),
    Case("large", "64 KiB answer", "plain", "/large", layouts=(ALONE,)),
    Case("sleep", "handler that waits 10 ms", "plain", "/sleep/10"),
    Case("burn", "handler that burns 2 ms of CPU", "plain", "/burn/2", layouts=(ALONE,)),
    Case("mix", "95 % fast, 5 % waiting 100 ms: latency of the fast ones", "plain", "/mixed/", script="mix.lua",
         fast_ones=True),
    Case("calm", "the same mix, each client pausing up to 40 ms: latency of the fast ones", "plain", "/mixed/",
         script="calm.lua", fast_ones=True, layouts=(ALONE,)),
    Case("close", "a connection per request", "plain", "/", close=True, layouts=(ALONE,)),
    Case("idle", "14-byte answer beside 1,000 idle keep-alive connections", "plain", "/", idle_connections=1000,
         layouts=(ALONE,)),
    Case("paced", "14-byte answer, 200 requests/s of 32 clients", "plain", "/", script="paced.lua"),
    Case("slow", "200 requests/s of 32 clients beside 1,000 that send a byte of a head every 2 s", "plain", "/",
         script="paced.lua", slow_heads=1000),
    Case("hello", "the same request again and again: 14-byte answer, 32 keep-alive connections", "plain", "/"),
)  # fmt: skip


def case_of(name: str) -> Case:
    """Return the case of that name."""
    return next(case for case in CASES if case.name == name)


VARIED = case_of("varied")
HELLO = case_of("hello")
