"""What whoever started a manager hears of it."""

from __future__ import annotations

import os

import pytest

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.readiness import AwaitedStart, heard


def line_of(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as pipe:
        return pipe.read()


def test_that_it_is_up_is_said_once() -> None:
    read_end, write_end = os.pipe()
    starter = AwaitedStart(write_end)
    starter.tell_ready()
    starter.tell_failed(WsgigroupsError("cannot go on"), runs=False)  # the number may be somebody else's by now
    assert line_of(read_end) == b"ready\n"


@pytest.mark.parametrize("runs", [False, True])
def test_why_it_is_not_up(runs: bool) -> None:
    read_end, write_end = os.pipe()
    error = WsgigroupsError("cannot use it:\nno", hint="another", exit_code=ExitCode.NOT_PERMITTED)
    AwaitedStart(write_end).tell_failed(error, runs=runs)
    found = heard(line_of(read_end))
    assert found.error is not None
    assert (found.error.message, found.error.hint, found.error.exit_code) == (
        "cannot use it:\nno",
        "another",
        ExitCode.NOT_PERMITTED,
    )
    assert (found.ready, found.runs) == (False, runs)


@pytest.mark.parametrize("line", [b"", b"null", b"[]", b"{}", b"\xff\n", b'{"error": 1, "hint": 2, "exit_code": 99}'])
def test_a_manager_that_said_nothing(line: bytes) -> None:
    found = heard(line)
    assert (found.ready, found.error, found.runs) == (False, None, False)


def test_nobody_waits_or_has_left() -> None:
    AwaitedStart(None).tell_ready()
    read_end, write_end = os.pipe()
    os.close(read_end)
    AwaitedStart(write_end).tell_ready()
