"""Deadlines by tables: what each party waits, and why."""

from __future__ import annotations

from typing import Any

import pytest

from wsgigroups.config import Configuration
from wsgigroups.interop.renderers.deadlines import request_deadlines, start_s, stop_deadlines, text_s


def configuration(group: dict[str, Any], **tables: Any) -> Configuration:
    return Configuration.from_document({"version": 1, "groups": {"a": {"app": "a:b", **group}}, **tables})


EACH = {"request-timeout": 30, "request-timeout-mode": "each"}
SITE = {"listen": ["127.0.0.1:80"], "process-group": "a", "mounts": [{"path": "/"}]}


@pytest.mark.parametrize(
    ("group", "application", "answer", "front", "client"),
    [
        ({}, None, None, 60, 77),  # socket-timeout alone, and connect-timeout
        ({"socket-timeout": 20}, None, None, 20, 37),
        ({"socket-timeout": 0, "connect-timeout": 1}, None, None, 864000, 864003),
        ({"connect-timeout": 0}, None, None, 60, 864062),
        (EACH, 35, 35, 60, 77),
        ({**EACH, "queue-timeout": 45}, 35, 80, 82, 99),
        ({**EACH, "request-timeout": 90}, 95, 95, 97, 114),
        ({"request-timeout": 30, "threads": 4}, 125, 125, 127, 144),  # one stuck request raises the average slowly
        ({**EACH, "interrupt-timeout": 1, "graceful-timeout": 10, "startup-timeout": 20}, 66, 66, 68, 85),
        ({**EACH, "shutdown-timeout": 0}, 35, 35, 60, 77),  # a stuck one is killed all the same
        ({"queue-timeout": 100}, None, None, 60, 77),
    ],
)
def test_a_request(
    group: dict[str, Any], application: float | None, answer: float | None, front: float, client: float
) -> None:
    found = configuration(group)
    deadlines = request_deadlines(found.groups["a"], found.server)
    assert (deadlines.application_s, deadlines.answer_s, deadlines.front_s, deadlines.client_s) == (
        (application, answer, front, client)
    )
    assert deadlines.front_stop_s > deadlines.client_s


def test_a_timeout_of_the_server_is_that_of_groups_without_one() -> None:
    found = configuration({}, server={"timeout": 7})
    assert request_deadlines(found.groups["a"], found.server).front_s == 7


@pytest.mark.parametrize(
    ("group", "tables", "requests", "manager", "service"),
    [
        ({}, {}, 5, 7, 60),
        ({"shutdown-timeout": 300}, {}, 300, 302, 304),
        ({"shutdown-timeout": 0}, {}, None, None, 60),
        ({"shutdown-timeout": 40}, {"sites": {"x": SITE}}, 40, 72, 74),
        ({}, {"sites": {"x": SITE}, "gateway": {"shutdown-timeout": 0}}, None, None, 60),
        ({"shutdown-timeout": 40}, {"gateway": {"shutdown-timeout": 0}}, 40, 42, 60),
    ],
)
def test_a_stop(
    group: dict[str, Any], tables: dict[str, Any], requests: float | None, manager: float | None, service: float
) -> None:
    found = stop_deadlines(configuration(group, **tables))
    assert (found.requests_s, found.manager_s, found.service_s) == (requests, manager, service)


def test_a_start() -> None:
    assert start_s(configuration({})) == 90
    assert start_s(configuration({"startup-timeout": 200})) == 202


@pytest.mark.parametrize(("value", "text"), [(60.0, "60s"), (1.5, "1500ms"), (0.0001, "1ms"), (2.0000001, "2001ms")])
def test_times_are_never_written_shorter(value: float, text: str) -> None:
    assert text_s(value) == text
