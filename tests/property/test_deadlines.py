"""Whatever the options are: in what is rendered, each deadline is shorter than the one around it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.rendering import CONTEXT, keys, rendered, seconds, times

from wsgigroups.config import Configuration
from wsgigroups.interop.renderers.containerfile import containerfile
from wsgigroups.interop.renderers.deadlines import request_deadlines, stop_deadlines

SITE = {"listen": ["127.0.0.1:8080"], "process-group": "a", "mounts": [{"path": "/"}]}
DURATIONS = (
    st.just(0) | st.integers(1, 4000) | st.floats(0.01, 4000, allow_nan=False).map(lambda value: round(value, 3))
)
BUILT = replace(CONTEXT, base="python:3.13-slim")
OPTIONS = (
    *("request-timeout", "queue-timeout", "connect-timeout", "socket-timeout", "interrupt-timeout", "startup-timeout"),
    *("graceful-timeout", "shutdown-timeout"),
)
groups = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(OPTIONS, DURATIONS),
        "threads": st.integers(1, 30),
        "request-timeout-mode": st.sampled_from(["average", "each"]),
    },
)


def configuration(options: dict[str, Any], gateway: float, timeout: float) -> Configuration:
    group = {"app": "a:b", "listen": ["unix:/run/a.sock"], **options}
    document = {"server": {"timeout": timeout}, "gateway": {"shutdown-timeout": gateway}, "groups": {"a": group}}
    return Configuration.from_document({"version": 1, "sites": {"www.example.org": SITE}, **document})


def ascending(*deadlines: float | None) -> bool:
    """Whether each is longer than the one before it; None limits nothing."""
    limits = [value for value in deadlines if value is not None]
    return limits == sorted(set(limits))


@given(groups, DURATIONS, st.integers(1, 600))
@settings(max_examples=100)
def test_each_deadline_is_shorter_than_the_one_around_it(
    options: dict[str, Any], gateway: float, timeout: float
) -> None:
    found = configuration(options, gateway, timeout)
    group = found.groups["a"]
    inner = request_deadlines(group, found.server)
    wanted, limit = options.get("request-timeout"), options.get("shutdown-timeout", 5)
    # in a request
    assert ascending(wanted or None, inner.application_s)
    haproxy = rendered("haproxy", found)
    (stop_s,) = times(haproxy, "hard-stop-after")
    for server_s, client_s in zip(times(haproxy, "timeout server"), times(haproxy, "timeout client"), strict=True):
        assert ascending(inner.answer_s, server_s, client_s, stop_s)
        assert group.connect_timeout + server_s < client_s
    caddy = rendered("caddy", found)
    (head_s,), (grace_s,) = times(caddy, "response_header_timeout"), times(caddy, "grace_period")
    assert ascending(inner.answer_s, head_s, grace_s)
    nginx = rendered("nginx", found)
    (read_s,), (leave_s,) = times(nginx, "uwsgi_read_timeout"), times(nginx, "worker_shutdown_timeout") or [None]
    assert ascending(inner.answer_s, read_s, leave_s)
    # in a stop
    stop = stop_deadlines(found)
    service_s = seconds(keys(rendered("systemd", found), "Service")["TimeoutStopSec"])
    container_s = re.search(r"stop --time ([0-9]+)", containerfile(found, BUILT))
    assert container_s
    requests = limit if limit and gateway else None
    assert ascending(requests, stop.manager_s, service_s)
    assert ascending(requests, stop.manager_s, int(container_s[1]))
