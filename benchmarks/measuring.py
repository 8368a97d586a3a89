"""The measurement: rounds over layouts and peers, interleaved, so that whatever else the machine does hits everybody.

Runs in the benchmark's process. Yields one Sample per load; what goes wrong with a peer is a sample with a reason, and
the run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, product

from benchmarks import load, quiet
from benchmarks.accounting import Cost, cost
from benchmarks.cases import Case, Layout
from benchmarks.load import LoadError
from benchmarks.peers import Peer
from benchmarks.serving import Ground, Running, serving

WARM_UP_S = 0.3


@dataclass(frozen=True)
class Sample:
    """One load of one server. Rates per second, milliseconds, seconds, MiB; None where there was nothing to measure."""

    layout: str
    case: str
    peer: str
    round: int
    rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_s_per_10k: float | None = None
    newcomer_ms: float | None = None  # longest wait of a new connection during the load; None: not answered
    pss_mib: float | None = None
    requests: int = 0
    errors: int = 0
    failure: str | None = None
    other_load_percent: float | None = None  # of the machine's processor time, during the load
    stolen_percent: float | None = None

    def as_data(self) -> dict[str, object]:
        """Return it as plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Schedule:
    """What to measure, and how long."""

    layouts: Sequence[Layout]
    cases: Sequence[Case]
    peers: Sequence[Peer]
    rounds: int | None = None  # None: as each case has it
    seconds: float | None = None

    def rounds_of(self, case: Case, peer: Peer, layout: Layout) -> int:
        """Return how many rounds the server is measured in a case and a layout; 0: not at all."""
        if not peer.fits(layout) or layout not in case.layouts or (case.peers and peer.name not in case.peers):
            return 0
        return self.rounds or case.rounds_of(peer.name)

    def seconds_of(self, case: Case) -> float:
        """Return how long one load lasts."""
        return self.seconds or case.seconds

    @property
    def longest(self) -> int:
        """Return the rounds of what is measured most often."""
        return max((self.rounds_of(*one) for one in product(self.cases, self.peers, self.layouts)), default=0)

    def starts(self, number: int, peer: Peer, layout: Layout) -> list[list[Case]]:
        """Return the cases of a round (from 1), grouped by what a server has to be started for."""
        due = [case for case in self.cases if number <= self.rounds_of(case, peer, layout)]
        return [list(group) for _key, group in groupby(sorted(due, key=start_of), key=start_of)]


def start_of(case: Case) -> tuple[str, str]:
    """Return what a server is started with."""
    return case.application, case.access_log


def measure(schedule: Schedule, ground: Ground) -> Iterator[Sample]:
    """Measure everything; the order of peers turns by one each round, so that nobody always follows the same one."""
    for number in range(schedule.longest):
        turned = [*schedule.peers[number % len(schedule.peers) :], *schedule.peers[: number % len(schedule.peers)]]
        for layout in schedule.layouts:
            for peer in turned:
                yield from measure_peer(peer, layout, number + 1, schedule, ground)


def measure_peer(peer: Peer, layout: Layout, number: int, schedule: Schedule, ground: Ground) -> Iterator[Sample]:
    """Start the peer once per application and access log, and run the cases of that."""
    for cases in schedule.starts(number, peer, layout):
        done = 0
        try:
            with serving(peer, cases[0].application, layout, ground, cases[0].access_log) as running:
                for case in cases:
                    yield measure_case(case, running, number, schedule.seconds_of(case))
                    done += 1
        except LoadError as failure:
            for case in cases[done:]:
                yield Sample(layout.name, case.name, peer.name, number, failure=str(failure))


def measure_case(case: Case, running: Running, number: int, seconds: float) -> Sample:
    """Warm up, then load the running server and account for it."""
    port = running.job.port
    identity = (running.job.layout.name, case.name, running.peer.name, number)
    try:
        load.warm_up(case, port, WARM_UP_S)
        before: Cost = cost(running.roots)
        machine_before = quiet.read()
        outcome = load.run(case, port, seconds)
        machine_after = quiet.read()
        after = cost(running.roots)
    except (LoadError, OSError) as failure:
        return Sample(*identity, failure=str(failure))
    if not outcome.requests:
        return Sample(*identity, errors=outcome.errors, failure="no request was answered")
    others = quiet.others(machine_before, machine_after, after.cpu_s - before.cpu_s)
    return Sample(
        *identity,
        rate=outcome.rate,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
        newcomer_ms=outcome.newcomer_ms,
        cpu_s_per_10k=(after.cpu_s - before.cpu_s) / outcome.requests * 10_000,
        pss_mib=after.pss_bytes / 1048576,
        requests=outcome.requests,
        errors=outcome.errors,
        other_load_percent=others.load_percent,
        stolen_percent=others.stolen_percent,
    )
