"""Documents of a status, as plain data: what tests of the command line show."""

from __future__ import annotations

from typing import Any


def process(slot: int, **changes: Any) -> dict[str, Any]:
    """A process that is ready."""
    base = {
        "slot": slot, "pid": 4700 + slot, "life": slot, "state": "ready", "started_at": "2026-01-01T00:00:00Z",
        "uptime_s": 11010.1, "requests_total": 5, "requests_active": 1, "requests_queued": 0, "rss_bytes": 60_000_000,
        "pss_bytes": 44_000_000, "cpu_s": 0.1, "failures": 0, "last_exit": None, "retry_in_s": None, "last_death": None,
    }  # fmt: skip
    return {**base, **changes}


def group(name: str, **changes: Any) -> dict[str, Any]:
    """A group with two of them."""
    base = {
        "name": name, "state": "ready", "processes_wanted": 2, "processes_ready": 2, "threads": 25, "user": "joe",
        "group": "joe", "listen": ["127.0.0.1:8000"], "python": "3.11.2", "requests_total": 10, "requests_active": 2,
        "requests_queued": 0, "requests_per_s": 212.4, "application_p99_s": 0.0412, "restarts": 0,
        "last_error": None, "log": "/var/log/blog.log",
        "scaled": False, "cleanup": "cgroup", "not_in_force": {}, "processes": [process(1), process(2)],
    }  # fmt: skip
    return {**base, **changes}


def status(*groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a manager says that has these groups."""
    manager = {"pid": 11720, "version": "0.1.0", "uptime_s": 12.5, "cleanup": "cgroup"}
    return {"schema_version": 1, "revision": 3, "manager": manager, "groups": list(groups), **more}
