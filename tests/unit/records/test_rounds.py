"""Answers of one round are counted and logged together: all of them, each as what it is, and no later than they leave.

The tests drive the poller themselves, as the leader would; no thread of the server runs.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from support.driven import Driven
from support.gated import GET
from support.serving import Clock


def lead(driven: Driven, *paths: bytes) -> None:
    """Ask, with a connection for each, and answer in one round as a leader whose calls have been brief."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(driven.connect()) for _ in paths]
        for sock, path in zip(socks, paths, strict=True):
            sock.sendall(GET % path)
        while len(driven.poller.ready) < len(paths):
            driven.poller.wait()
        driven.crew.pace.brief = True
        driven.lead()


def test_requests_that_differ_have_lines_that_do_although_their_answers_are_equal() -> None:
    lines: list[bytes] = []
    asked: list[bytes] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        asked.append(environ["PATH_INFO"].encode())
        driven.crew.closing = len(asked) == 5  # ends the lead
        start_response("200 OK", [("Content-Length", "5")])
        return [b"12345"]

    driven = Driven(application, Clock(), lines.append, access_log="common")
    lead(driven, b"/a", b"/b", b"/b", b"/a", b"/c")
    driven.caller.access.flush()
    assert sorted(line.split()[6] for line in b"".join(lines).splitlines()) == sorted(asked)
    driven.close()


def test_what_leaves_in_the_middle_of_a_round_is_counted_and_logged_before() -> None:
    clock, seen, lines = Clock(), [], []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        driven.caller.access.flush()
        seen.append((driven.word("requests_total"), len(driven.posted), b"".join(lines).count(b"\n")))
        clock.advance(0.00025)
        driven.crew.closing = len(seen) == 7  # ends the lead
        start_response("200 OK", [("Content-Length", "5")])
        return [b"12345"]

    driven = Driven(application, clock, lines.append, access_log="common")
    lead(driven, *[b"/"] * 7)
    assert seen == [*((0, number, number) for number in range(5)), (5, 0, 5), (5, 1, 6)]
    assert driven.word("requests_total") == 7
    driven.close()


def test_answers_before_a_call_that_blocks_are_counted_and_logged_when_another_thread_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[bytes] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            driven.crew.take_over()  # what the monitor would do
            driven.caller.access.flush()
            seen.append((driven.word("requests_total"), driven.word("status_2xx"), b"".join(lines).count(b"\n")))
            driven.crew.closing = True
        start_response("200 OK", [("Content-Length", "5")])
        return [b"12345"]

    seen: list[tuple[int, int, int]] = []
    driven = Driven(application, Clock(), lines.append, access_log="json")
    monkeypatch.setattr(driven.crew.threads, "wake_one", lambda: True)
    lead(driven, b"/1", b"/1", b"/wait")
    assert seen == [(2, 2, 2)]
    driven.caller.access.flush()
    assert (driven.word("requests_total"), b"".join(lines).count(b"\n")) == (3, 3)
    driven.close()
