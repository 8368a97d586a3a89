"""How long requests took is on the board, phase by phase: by a server with the test's clock."""

from __future__ import annotations

import threading
from typing import Any

from support.serving import Clock, receive_response, serving

from wsgigroups.runtime.wire.board import WORD
from wsgigroups.runtime.wire.histograms import APPLICATION, QUEUE, SEND, Histogram

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def counts(running: Any, histogram: Histogram) -> list[int]:
    return [running.word(name) for name in histogram.word_names]


def test_a_request_is_counted_by_the_time_that_it_took_in_the_application() -> None:
    clock = Clock()

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        clock.advance(float(environ["PATH_INFO"][1:] or 0))
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with serving(application, clock=clock, threads=1) as running:
        for seconds in ("0", "0.001", "0.0011", "0.3", "60"):
            assert b"200 OK" in running.exchange(GET.replace(b"/ ", f"/{seconds} ".encode(), 1))
        running.wait_word("requests_total", 5)
        assert counts(running, APPLICATION) == [2, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
        assert sum(counts(running, QUEUE)) == 5
        assert sum(counts(running, SEND)) == 0


def test_a_request_that_waited_is_counted_by_how_long() -> None:
    clock, entered, go_on = Clock(), threading.Semaphore(0), threading.Semaphore(0)

    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        entered.release()
        assert go_on.acquire(timeout=20)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with serving(application, clock=clock, threads=1) as running, running.connect() as one, running.connect() as two:
        one.sendall(GET)
        assert entered.acquire(timeout=20)
        two.sendall(GET)
        running.wait_word("requests_queued", 1)
        clock.advance(0.7)
        go_on.release(2)
        for sock in (one, two):
            assert receive_response(sock)[0] == 200
        running.wait_word("requests_total", 2)
        assert counts(running, QUEUE) == [1, 0, 0, 0, 1, 0, 0, 0]
        assert running.word("queue_time_ns") == 700_000_000


def test_an_answer_that_its_client_does_not_take_is_counted_by_how_long_it_waited() -> None:
    clock, size = Clock(), 1 << 23

    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(size))])
        return [bytes(size)]

    with serving(application, clock=clock, response_buffer_size_bytes=size) as running, running.connect() as slow:
        slow.sendall(GET)
        running.wait_word("requests_total", 1)
        clock.advance(2.0)
        assert len(receive_response(slow)[2]) == size
        running.wait(lambda: sum(counts(running, SEND)) == 1)
        assert counts(running, SEND) == [0, 0, 0, 0, 1, 0, 0]
        assert running.word("send_time_ns") == 2_000_000_000


def test_how_late_a_process_runs_is_measured_while_a_call_lasts() -> None:
    asked: list[int] = []

    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        words = running.board.words
        before = words[WORD["wakes"]]
        running.wait(lambda: words[WORD["wakes"]] > before)
        asked.append(words[WORD["wakes"]])
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with serving(application, threads=2) as running:
        running.exchange(GET)
        assert asked
        assert running.word("late_ns") > 0
