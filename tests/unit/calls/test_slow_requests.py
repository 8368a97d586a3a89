"""slow-request: what is told of a request at the moment when it crosses the line, and at its end, at real sockets.

Applications wait at gates that the test holds.
"""

from __future__ import annotations

import contextlib
from typing import Any

from support.gated import GET, Gated, queue_up, waiting
from support.serving import Running, receive_all, receive_response, serving

LIMIT_S = 0.05
CLOSING = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def told(running: Running, part: str) -> list[str]:
    """What was logged of slow requests."""
    return [text for _level, text in list(running.logged) if "slow-request" in text and part in text]


def test_a_request_is_told_once_with_its_stack_while_it_is_under_way_and_again_at_its_end() -> None:
    gated = Gated()
    with serving(gated, threads=4, slow_request_s=LIMIT_S) as running, waiting(running, gated, 1) as socks:
        running.wait(lambda: bool(told(running, " after ")))
        (crossing,) = told(running, " after ")
        first, _, stack = crossing.partition("\n")
        assert first.startswith("GET /wait")
        assert ": slow-request: request test-1-" in first
        assert "gated.py" in stack
        assert running.word("slow_requests") == 1
        gated.open(1)
        assert receive_response(socks[0])[0] == 200
        running.wait(lambda: bool(told(running, "ended with 200")))
        assert len(told(running, "slow-request")) == 2
        assert running.word("slow_requests") == 1


def test_it_is_told_while_all_threads_are_in_the_application_and_with_its_time_in_the_queue() -> None:
    gated = Gated()
    with serving(gated, threads=1, slow_request_s=LIMIT_S) as running, waiting(running, gated, 1) as socks:
        running.wait(lambda: len(told(running, "\n")) == 1)
        with contextlib.ExitStack() as stack:
            others = queue_up(running, stack, [b"/wait"])
            gated.open(1)
            assert receive_response(socks[0])[0] == 200
            running.wait(lambda: len(told(running, "\n")) == 2)
            assert " s in the queue\n" in told(running, "\n")[1]
            gated.open(1)
            assert receive_response(others[0])[0] == 200
        running.wait(lambda: len(told(running, "ended with 200")) == 2)
        assert running.word("slow_requests") == 2


def test_quick_requests_are_not_told_and_the_limit_holds_for_those_under_way() -> None:
    gated = Gated()
    with serving(gated, threads=3) as running, waiting(running, gated, 1) as socks:
        for _ in range(20):
            running.exchange(GET % b"/quick")
        assert told(running, "") == []
        running.server.tune({"slow_request_s": LIMIT_S})
        running.wait(lambda: bool(told(running, "\n")))
        running.server.tune({"slow_request_s": 0.0})
        gated.open(1)
        assert receive_response(socks[0])[0] == 200
        running.wait_word("requests_active", 0)
        assert told(running, "ended") == []


def test_the_stacks_of_a_second_are_few_and_the_others_are_counted() -> None:
    gated = Gated()
    with serving(gated, threads=12, slow_request_s=LIMIT_S) as running, waiting(running, gated, 12) as socks:
        running.wait_word("slow_requests", 12)
        assert 5 <= len(told(running, "\n")) <= 10  # the bound of one second, or of two
        gated.open(12)
        for sock in socks:
            assert receive_response(sock)[0] == 200


def test_the_time_for_which_a_client_takes_nothing_is_not_that_of_the_application() -> None:
    block = b"x" * 65536

    def application(_environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(200 * len(block)))])
        return [block] * 200

    with serving(application, threads=2, slow_request_s=LIMIT_S) as running, running.connect() as sock:
        sock.sendall(CLOSING)
        running.wait(lambda: bool(told(running, "\n")))
        assert "_await_client" in told(running, "\n")[0]
        assert len(receive_all(sock)) > 200 * len(block)
        running.wait(lambda: bool(told(running, "ended")))
        words = told(running, "ended")[0].split()
        application_s, stalled_s = float(words[words.index("in") - 2]), float(words[words.index("until") - 2])
        assert application_s < stalled_s
        assert stalled_s >= LIMIT_S / 2
