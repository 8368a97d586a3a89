"""sd_notify to real sockets: paths, abstract names, descriptors, and a service manager that does not read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service_manager import ServiceManager

from wsgigroups.manager.systemd.notifying import VARIABLES, Notifier, taken_from


@pytest.fixture(params=["path", "abstract"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    address = str(tmp_path / "s") if request.param == "path" else f"@wsgigroups-test-{os.getpid()}"
    listening = ServiceManager(address)
    yield listening
    listening.close()


def nothing(_level: str, text: str) -> None:
    raise AssertionError(text)


def test_lines_and_descriptors_arrive(service: ServiceManager) -> None:
    told = taken_from({"NOTIFY_SOCKET": service.address}, nothing)
    assert told.send(["READY=1", "STATUS=2 of 2 groups ready"])
    read_end, write_end = os.pipe()
    assert told.send(["FDSTORE=1", "FDNAME=pipe"], [write_end])
    os.close(write_end)
    service.read()
    assert service.messages == [["READY=1", "STATUS=2 of 2 groups ready"], ["FDSTORE=1", "FDNAME=pipe"]]
    [(name, fd)] = service.stored
    os.write(fd, b"same")
    assert (name, os.read(read_end, 4)) == ("pipe", b"same")
    os.close(read_end)


def test_nobody_inherits_what_was_for_the_manager(tmp_path: Path) -> None:
    environment = dict.fromkeys(VARIABLES[:3], "1") | {"NOTIFY_SOCKET": str(tmp_path / "s"), "HOME": "/"}
    taken_from(environment, nothing)
    assert environment == {"HOME": "/"}


def test_one_that_does_not_read_stops_nobody(service: ServiceManager) -> None:
    told = Notifier(service.address)
    taken = [told.send(["WATCHDOG=1"]) for _ in range(10_000)]
    assert taken[0]
    assert not taken[-1]
    service.read()
    assert told.send(["WATCHDOG=1"])


def test_without_anybody_to_tell_nothing_fails(tmp_path: Path) -> None:
    assert taken_from({}, nothing).send(["READY=1"])
    assert not Notifier(str(tmp_path / "none")).send(["READY=1"])


@pytest.mark.parametrize(
    ("more", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "4000000"}, 4.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_watchdog_is_for_the_process_that_it_names(more: dict[str, str], watchdog_s: float) -> None:
    assert taken_from({"NOTIFY_SOCKET": "/run/s", **more}, nothing) == Notifier("/run/s", watchdog_s)


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "is no socket that can be told anything"),
        ({"NOTIFY_SOCKET": "/" + "x" * 107}, "is no socket that can be told anything"),
        ({"NOTIFY_SOCKET": "/run/s", "WATCHDOG_USEC": "soon"}, "WATCHDOG_USEC=soon is no time"),
        ({"NOTIFY_SOCKET": "/run/s", "WATCHDOG_USEC": "-1"}, "WATCHDOG_USEC=-1 is no time"),
    ],
)
def test_what_cannot_be_used_is_said(environment: dict[str, str], text: str) -> None:
    said: list[str] = []
    taken_from(dict(environment), lambda _level, line: said.append(line))
    assert [line for line in said if text in line] == said != []
