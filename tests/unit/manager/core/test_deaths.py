"""Why a process ended, of everything that it can have been through; and records that are read as they were written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.lifecycle.step import Exit, Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import deaths
from wsgigroups.manager.core.deaths import Death, RequestAtDeath
from wsgigroups.manager.core.model import GroupState, Held, LastError
from wsgigroups.manager.core.stacks import Frame

LEFT, BROKE, KILLED, FAULT, LOST = Exit(0, 0), Exit(3, 0), Exit(-1, 9), Exit(-1, 11), Exit(-1, 0)
NAMES = {0: "", 9: "SIGKILL", 11: "SIGSEGV"}
UP: dict[str, Any] = {"state": Tenancy.READY, "ready_at": 1.0}
START: dict[str, Any] = {"state": Tenancy.STARTING}


def leaving(reason: str, state: Tenancy = Tenancy.DRAINING) -> dict[str, Any]:
    return {"state": state, "ready_at": 1.0, "reason": reason}


def failed(message: str, step: str = "") -> LastError:
    return LastError(1, 7, message, step=step)


@pytest.mark.parametrize(
    ("record", "group", "status", "error", "cause"),
    [
        (UP, {}, FAULT, None, ("crashed", "")),
        (UP, {}, KILLED, None, ("killed", "")),
        (UP, {}, BROKE, None, ("exited", "")),
        (UP, {}, LEFT, None, ("exited", "")),
        (UP, {}, LOST, None, ("unknown", "")),
        (UP, {"recycle": {7: "maximum-requests"}}, LEFT, None, ("recycled", "maximum-requests")),
        (UP, {"held": {7: Held("signal", 9.0)}}, LEFT, None, ("recycled", "signal")),
        (UP, {"recycle": {7: "maximum-requests"}}, FAULT, None, ("crashed", "")),
        (UP, {}, KILLED, failed("startup-timeout: not loaded within 2 s"), ("startup-timeout", "startup-timeout")),
        (START, {}, BROKE, failed("cannot load the applications", "import"), ("not-started", "")),
        (START, {}, FAULT, None, ("crashed", "")),
        (START, {}, KILLED, None, ("killed", "")),
        (START, {}, BROKE, None, ("not-started", "")),
        (START, {}, LOST, None, ("unknown", "")),
        ({"state": Tenancy.ABORTING}, {}, KILLED, None, ("startup-timeout", "startup-timeout")),
        ({"state": Tenancy.ABORTING}, {}, BROKE, failed("cannot …", "import"), ("not-started", "")),
        ({"state": Tenancy.ABORTING, "reason": "reports"}, {}, KILLED, None, ("reports", "reports")),
        (leaving("replaced"), {}, LEFT, None, ("replaced", "replaced")),
        (leaving("reload"), {}, LEFT, None, ("replaced", "reload")),
        (leaving("stop"), {}, LEFT, None, ("stopped", "stop")),
        (leaving("shutdown", Tenancy.KILLING), {}, KILLED, None, ("cut-off", "shutdown")),
        (leaving("restart-interval"), {}, LEFT, None, ("recycled", "restart-interval")),
        (leaving("stop"), {}, FAULT, None, ("crashed", "")),
        (leaving("stop"), {}, KILLED, None, ("killed", "stop")),
        (leaving("stop"), {}, BROKE, None, ("exited", "stop")),
        (leaving("request-timeout"), {}, LEFT, None, ("request-timeout", "request-timeout")),
        (leaving("deadlock-timeout", Tenancy.KILLING), {}, KILLED, None, ("deadlock-timeout", "deadlock-timeout")),
        (leaving("board"), {}, FAULT, None, ("board", "board")),
    ],
)
def test_each_end_has_one_cause(
    record: dict[str, Any], group: dict[str, Any], status: Exit, error: LastError | None, cause: tuple[str, str]
) -> None:
    found = deaths.cause_of(
        GroupState(small_target(), **group), Record("blog", 1, 7, "f", **record), status, NAMES[status.signal], error,
        out_of_memory=False,
    )  # fmt: skip
    assert found == cause


@pytest.mark.parametrize(("status", "cause"), [(KILLED, "out-of-memory"), (FAULT, "out-of-memory"), (LEFT, "exited")])
def test_want_of_memory_is_one_where_it_killed_the_process(status: Exit, cause: str) -> None:
    group, record = GroupState(small_target()), Record("blog", 1, 7, "f", **UP)
    assert deaths.cause_of(group, record, status, NAMES[status.signal], None, out_of_memory=True)[0] == cause


@pytest.mark.parametrize(
    ("status", "cause"), [(KILLED, "killed"), (FAULT, "crashed"), (BROKE, "exited"), (LOST, "unknown")]
)
def test_an_end_that_nobody_saw(status: Exit, cause: str) -> None:
    assert deaths.unmanaged_cause(status, NAMES[status.signal]) == cause


def whole() -> Death:
    stack = (Frame("library", "wsgiref", count=2), Frame("application", "/srv/app.py:3", "pay"))
    request = RequestAtDeath("GET /pay", 1.5, 2, stack)
    return Death(
        1000.5, "shop", 1, 7, 99, "crashed", "", "killed by signal 11", "", None, "SIGSEGV", 1.6, True,
        (request,), 3, stack, 31 * 2**20, 0.12, 4, ("a line",),
    )  # fmt: skip


def test_a_record_is_read_as_it_was_written() -> None:
    data = json.loads(json.dumps(deaths.to_json(whole())))
    assert deaths.from_json(data) == whole()
    assert deaths.from_json({**data, "of": "a later version"}) == whole()
    bare = Death(1.0, "shop", 1, 7, None, "unknown", managed=False)
    assert deaths.from_json(json.loads(json.dumps(deaths.to_json(bare)))) == bare


@pytest.mark.parametrize(
    "change",
    [
        {"cause": "eaten"},
        {"slot": "one"},
        {"at": None},
        {"requests": [1]},
        {"stack": {"x": 1}},
        {"group": None} | {"slot": []},
    ],
)
def test_what_is_no_record_is_none(change: dict[str, Any]) -> None:
    assert deaths.from_json({**deaths.to_json(whole()), **change}) is None
    assert deaths.from_json([]) is None


def test_the_frame_of_a_request_is_the_applications_innermost() -> None:
    library, own = Frame("library", "socket"), Frame("application", "/srv/app.py:3", "pay")
    assert RequestAtDeath("", 0.0, 1, (own, library)).frame == own
    assert RequestAtDeath("", 0.0, 1, (library,)).frame == library
    assert RequestAtDeath("", 0.0, 1).frame is None


def test_a_record_that_is_too_long_loses_what_a_tenant_made_long() -> None:
    frames = tuple(Frame("application", "x" * 200, "y" * 80) for _ in range(12))
    requests = tuple(RequestAtDeath("z" * 200, 1.0, number, frames) for number in range(16))
    large = replace(whole(), requests=requests, stack=frames, log=("l" * 240,) * 20, message="m" * 500)
    sizes = [len(json.dumps(deaths.to_json(less))) for less in deaths.lessened(large)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > deaths.MAXIMUM_BYTES > sizes[-1]
