"""What to change about a group: from what its processes have done, with the arithmetic. Pure.

One interpreter runs Python code of one thread at a time, so a process is full when it uses one processor, however many
threads it has; threads are for requests that wait. The rules follow from that, and each says what it has reckoned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LEAST_REQUESTS = 100  # with fewer, a mean says nothing
FULL = 0.7  # of threads, or of a processor: beyond it requests begin to wait for each other (M/M/c queues)
IDLE = 0.2
WAITS_S = 0.01  # a mean in the queue that people notice
LATE_S = 0.002  # a mean lateness of a thread that was to wake: it waits for the interpreter
COMPUTES = 0.7  # of the time in the application: then the work is the processor's
FEW_THREADS = 4  # for work on the processor
MOST_THREADS = 64
SPARE = 0.8  # of memory that processes may have
MIB = 1024**2


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What the processes of a group have done in a time. Sums over processes; seconds and bytes."""

    name: str
    processes: int
    threads: int
    process_s: float  # for how long they were looked at, added up
    requests: int = 0
    application_s: float = 0.0
    queue_s: float = 0.0
    send_s: float = 0.0
    cpu_s: float = 0.0
    wakes: int = 0
    late_s: float = 0.0
    unserved: int = 0  # answered 503 or 504 because they waited for too long
    slow: int = 0
    pss_bytes: int = 0  # of one process

    @property
    def busy(self) -> float:
        """Share of the request threads that were busy."""
        return self.application_s / (self.process_s * self.threads) if self.process_s else 0.0

    @property
    def cpu(self) -> float:
        """Processors that one process has used."""
        return self.cpu_s / self.process_s if self.process_s else 0.0

    @property
    def computing(self) -> float:
        """Share of the time in the application in which it used a processor."""
        return min(1.0, self.cpu_s / self.application_s) if self.application_s else 0.0

    @property
    def queue_mean_s(self) -> float:
        """For how long a request has waited for a thread."""
        return self.queue_s / self.requests if self.requests else 0.0

    @property
    def late_mean_s(self) -> float:
        """How late a thread ran that was to wake at a set time: an estimate of the wait for the interpreter."""
        return self.late_s / self.wakes if self.wakes else 0.0


@dataclass(frozen=True, slots=True)
class Advice:
    """One option to change; why: the arithmetic. advised is None where no number follows."""

    option: str
    now: str
    advised: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of one group."""

    work: WorkDone
    figures: tuple[str, ...]
    advice: tuple[Advice, ...] = ()
    fine: str = ""  # why there is none
    shares: dict[str, float] = field(default_factory=dict)


def advise(work: WorkDone, processors: float, memory_bytes: int) -> Report:
    """Say what to change. processors, memory_bytes: what there is for all groups together."""
    shares = {
        "busy": work.busy,
        "cpu": work.cpu,
        "computing": work.computing,
        "queue_mean_s": work.queue_mean_s,
        "late_mean_s": work.late_mean_s,
    }
    shares = {name: round(value, 6) for name, value in shares.items()}
    if work.requests < LEAST_REQUESTS:
        fine = f"{work.requests} requests are too few to say anything: {LEAST_REQUESTS} at least"
        return Report(work, _figures(work), fine=fine, shares=shares)
    found = tuple(
        item for rule in (_capacity, _threads, _surplus, _too_large) for item in rule(work, processors, memory_bytes)
    )
    found = found or tuple(_slow(work))
    fine = "" if found else "nothing waits, and nothing lies idle: leave it as it is"
    return Report(work, _figures(work), found, fine, shares)


def _figures(work: WorkDone) -> tuple[str, ...]:
    process_s = f"{work.process_s:.1f} s of processes"
    unserved = f"; {work.unserved} were not served at all" if work.unserved else ""
    return (
        f"busy       {work.busy:6.1%}  = {work.application_s:.1f} s in the application ÷ {process_s} × {work.threads}",
        f"processor  {work.cpu:6.1%}  = {work.cpu_s:.1f} s ÷ {process_s}; {work.computing:.0%} of what it was busy",
        f"queue      {work.queue_mean_s * 1000:6.1f} ms = {work.queue_s:.2f} s ÷ {work.requests} requests{unserved}",
        f"GIL        {work.late_mean_s * 1000:6.1f} ms = {work.late_s:.2f} s late ÷ {work.wakes} wake-ups: an estimate",
        f"memory     {work.pss_bytes / MIB:6.0f} MiB of each process",
    )


def _waits(work: WorkDone) -> bool:
    return work.queue_mean_s >= WAITS_S or work.unserved > 0


def _capacity(work: WorkDone, processors: float, memory_bytes: int) -> tuple[Advice, ...]:
    """Requests wait: more processes where processors are the reason, else more threads."""
    if not _waits(work):
        return ()
    waited = f"requests wait {work.queue_mean_s * 1000:.0f} ms for a thread"
    late = work.late_mean_s >= LATE_S
    if work.cpu < FULL and not late:
        wanted = min(MOST_THREADS, math.ceil(work.threads * max(work.busy / FULL, 1.25)))
        if wanted > work.threads:
            why = (
                f"{waited} while a process uses {work.cpu:.0%} of a processor, so what is missing are threads: "
                f"{work.threads} × max({work.busy:.0%} busy ÷ {FULL:.0%}, 1.25) = {wanted}"
            )
            return (Advice("threads", str(work.threads), str(wanted), why),)
    wanted = max(work.processes + 1, math.ceil(work.processes * work.cpu / FULL))
    why = f"{waited}, and a process uses {work.cpu:.0%} of a processor"
    if late:
        why += f" while its threads wait {work.late_mean_s * 1000:.1f} ms for each other"
    why += (
        f": {work.processes} × {work.cpu:.0%} ÷ {FULL:.0%} = {work.processes * work.cpu / FULL:.1f}, one more at least"
    )
    room = _room(work, memory_bytes)
    if wanted > room:
        why += f"; there is memory for {room} ({_memory(work, memory_bytes)})"
        wanted = room
    if work.processes * work.cpu >= processors * 0.9:
        why += f"; but its processes use all {processors:g} processors: it takes a larger machine, or quicker code"
        return (Advice("processes", str(work.processes), None, why),)
    if wanted <= work.processes:
        return (Advice("processes", str(work.processes), None, why),)
    return (Advice("processes", str(work.processes), str(wanted), why),)


def _threads(work: WorkDone, _processors: float, _memory_bytes: int) -> tuple[Advice, ...]:
    """Work on the processor in many threads: they only wait for each other."""
    if work.computing < COMPUTES or work.threads <= FEW_THREADS + 1 or work.late_mean_s < LATE_S:
        return ()
    why = (
        f"{work.computing:.0%} of the time in the application is processor time, and threads wait "
        f"{work.late_mean_s * 1000:.1f} ms for each other: {FEW_THREADS} threads keep one processor busy"
    )
    return (Advice("threads", str(work.threads), str(FEW_THREADS), why),)


def _surplus(work: WorkDone, _processors: float, _memory_bytes: int) -> tuple[Advice, ...]:
    """More processes than there is work for."""
    if _waits(work) or work.processes < 2 or work.busy >= IDLE or work.cpu >= FULL / 2:
        return ()
    by_threads, by_cpu = work.processes * work.busy / FULL, work.processes * work.cpu / FULL
    wanted = max(1, math.ceil(max(by_threads, by_cpu) * 2))  # twice of what was needed on average: there are peaks
    if wanted >= work.processes:
        return ()
    saved = (work.processes - wanted) * work.pss_bytes / MIB
    why = (
        f"{work.busy:.0%} of the threads and {work.cpu:.0%} of a processor are in use: 2 × {work.processes} × "
        f"max({work.busy:.1%}, {work.cpu:.1%}) ÷ {FULL:.0%} = {2 * max(by_threads, by_cpu):.1f}; saves {saved:.0f} MiB"
    )
    return (Advice("processes", str(work.processes), str(wanted), why),)


def _too_large(work: WorkDone, _processors: float, memory_bytes: int) -> tuple[Advice, ...]:
    """Together they are larger than the memory that there is."""
    if not work.pss_bytes or work.processes * work.pss_bytes <= memory_bytes * SPARE:
        return ()
    wanted = max(1, int(memory_bytes * SPARE / work.pss_bytes))
    why = f"{work.processes} × {work.pss_bytes / MIB:.0f} MiB are more than there is: {_memory(work, memory_bytes)}"
    if wanted < work.processes:
        return (Advice("processes", str(work.processes), str(wanted), f"{why} = {wanted}"),)
    return (Advice("memory-soft-limit", "", None, f"{why}: have a process replaced before it is that large"),)


def _slow(work: WorkDone) -> tuple[Advice, ...]:
    """Clients that are slower than their answers are long keep threads."""
    if work.send_s < work.application_s * 0.5 or work.busy < IDLE:
        return ()
    why = (
        f"answers waited {work.send_s:.1f} s for their clients, {work.send_s / work.application_s:.0%} of the time in "
        "the application: more of an answer should leave the thread at once"
    )
    return (Advice("response-buffer-size", "", None, why),)


def _room(work: WorkDone, memory_bytes: int) -> int:
    return max(work.processes, int(memory_bytes * SPARE / work.pss_bytes)) if work.pss_bytes else 4096


def _memory(work: WorkDone, memory_bytes: int) -> str:
    return f"{memory_bytes / MIB:.0f} MiB × {SPARE:.0%} ÷ {work.pss_bytes / MIB:.0f} MiB"
