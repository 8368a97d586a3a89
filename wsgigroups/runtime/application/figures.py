"""What a process and its requests have used, with the names that mod_wsgi gives them. Any thread; nothing is kept but
what the last call of `Window.read` saw.

Made of what request threads count anyway, when somebody asks: a request costs nothing for it. So there are sums and
means, and no distribution of times.
"""

from __future__ import annotations

import resource
from typing import Any, Dict, List, Sequence

from ..originals import Lock, os, time
from ..records.tally import ThreadCounts

# The words of mod_wsgi for why a process leaves, by ours.
SHUTDOWN_REASONS = {
    "signal": "shutdown_signal",
    "terminated": "shutdown_signal",
    "stop": "shutdown_signal",
    "orphaned": "shutdown_signal",
    "script-reloading": "script_reload",
    "maximum-requests": "maximum_requests",
    "restart-interval": "restart_interval",
    "inactivity-timeout": "inactivity_timeout",
    "request-timeout": "request_timeout",
    "startup-timeout": "startup_timeout",
    "deadlock-timeout": "deadlock_timeout",
    "cpu-time-limit": "cpu_time_limit",
    "eviction": "eviction_signal",
    "reload": "eviction_signal",
    "replaced": "graceful_signal",
}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def of_process(work: Sequence[ThreadCounts], began_s: float, began_ns: int) -> Dict[str, Any]:
    """Return mod_wsgi.process_metrics(). Seconds and bytes; *_time that are moments are seconds since the epoch."""
    now_ns = time.monotonic_ns()
    used = resource.getrusage(resource.RUSAGE_SELF)
    running_s = (now_ns - began_ns) / 1e9
    return {
        "pid": os.getpid(),
        "request_count": sum(item.requests for item in work),
        "request_busy_time": _busy_ns(work, now_ns) / 1e9,
        "request_threads": len(work),
        "active_requests": sum(1 for item in work if item.busy_since_ns),
        "memory_rss": _rss_bytes(),
        "memory_max_rss": used.ru_maxrss * 1024,
        "cpu_user_time": used.ru_utime,
        "cpu_system_time": used.ru_stime,
        "cpu_time": used.ru_utime + used.ru_stime,
        "restart_time": began_s,
        "current_time": began_s + running_s,
        "running_time": running_s,
        "threads": [{"thread_id": number, "request_count": item.requests} for number, item in enumerate(work)],
    }


class Window:
    """From the last reading to this one. One for a process."""

    def __init__(self, began_ns: int, began_s: float) -> None:
        self._lock = Lock()
        self._began = began_ns, began_s
        self._ns = began_ns
        self._busy_ns = 0
        self._cpu = 0.0, 0.0
        self._work: List[ThreadCounts] = []

    def read(self, work: Sequence[ThreadCounts], threads: int) -> Dict[str, Any]:
        """Return mod_wsgi.request_metrics(), and begin anew. threads: the most that there may be."""
        with self._lock:
            return self._read(list(work), threads)

    def _read(self, work: List[ThreadCounts], threads: int) -> Dict[str, Any]:
        began_ns, began_s = self._began
        now_ns, before_ns = time.monotonic_ns(), self._ns
        period_s = max(now_ns - before_ns, 1) / 1e9
        none = ThreadCounts((0,) * 10, 0, 0, 0, 0, 0)
        before = self._work + [none] * (len(work) - len(self._work))
        completed = [new.requests - old.requests for new, old in zip(work, before)]
        count = sum(completed)
        busy_ns, busy_before_ns = _busy_ns(work, now_ns), self._busy_ns
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu, cpu_before = (used.ru_utime, used.ru_stime), self._cpu
        self._ns, self._busy_ns, self._cpu, self._work = now_ns, busy_ns, cpu, work

        def grown(name: str) -> int:
            return sum(getattr(new, name) - getattr(old, name) for new, old in zip(work, before))

        found: Dict[str, Any] = {
            "pid": os.getpid(),
            "start_time": began_s + (before_ns - began_ns) / 1e9,
            "stop_time": began_s + (now_ns - began_ns) / 1e9,
            "sample_period": period_s,
            "request_count": count,
            "request_throughput": count / period_s,
            "capacity_utilization": max(0, busy_ns - busy_before_ns) / 1e9 / (threads * period_s),
            "request_threads_maximum": threads,
            "request_threads_started": len(work),
            "request_threads_active": sum(1 for item in work if item.busy_since_ns),
            "request_threads_completed": completed,
            "request_threads_current_elapsed": [
                (now_ns - item.busy_since_ns) / 1e9 if item.busy_since_ns else 0.0 for item in work
            ],
            "queue_time": grown("queue_ns") / 1e9 / max(count, 1),
            "application_time": grown("application_ns") / 1e9 / max(count, 1),
            "input_bytes": grown("received_bytes"),
            "output_bytes": grown("sent_bytes"),
            "cpu_user_utilization": (cpu[0] - cpu_before[0]) / period_s,
            "cpu_system_utilization": (cpu[1] - cpu_before[1]) / period_s,
            "cpu_utilization": (sum(cpu) - sum(cpu_before)) / period_s,
            "memory_rss": _rss_bytes(),
            "memory_max_rss": used.ru_maxrss * 1024,
        }
        found["request_time"] = found["queue_time"] + found["application_time"]
        for hundreds in range(1, 6):
            found["status_%dxx" % hundreds] = sum(
                new.statuses[hundreds] - old.statuses[hundreds] for new, old in zip(work, before)
            )
        return found


def _busy_ns(work: Sequence[ThreadCounts], now_ns: int) -> int:
    """Of requests that have ended, and of those that run, until now."""
    running_ns = sum(max(0, now_ns - item.busy_since_ns) for item in work if item.busy_since_ns)
    return sum(item.application_ns for item in work) + running_ns


def _rss_bytes() -> int:
    """Return what the process has in memory (/proc/self/statm, proc(5)); 0 where that cannot be read."""
    try:
        fd = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 256).split()[1]) * _PAGE_BYTES
    finally:
        os.close(fd)
