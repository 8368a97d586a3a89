"""All offences one after the other against one server with one thread: each costs its own request and nothing else."""

from __future__ import annotations

import json
import threading

import misbehaving_app
import pytest
from support.looking import wait
from support.serving import receive_response, serving

LAST = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_one_thread_outlives_them_all(unix: bool) -> None:
    written: list[bytes] = []
    threads = threading.active_count()
    with serving(
        misbehaving_app.application, unix=unix, threads=1, access=written.append, access_log="json"
    ) as running:
        for path, (expected, _function) in misbehaving_app.OFFENCES.items():
            answer = running.exchange(LAST % path.encode())
            assert answer.startswith(b"HTTP/1.1 500 ") == (expected == "500"), path
            assert b"Smuggled" not in answer, path
            with running.connect() as sock:
                for _ in range(3):
                    sock.sendall(b"GET /healthy HTTP/1.1\r\nHost: a\r\n\r\n")
                    status, _fields, body = receive_response(sock)
                    assert (status, body) == (200, b"fine"), path
        count = len(misbehaving_app.OFFENCES)
        running.wait_word("requests_total", 4 * count)
        running.wait_word("connections", 0)
        assert running.word("requests_active") == 0
        assert len(running.server.crew.threads.all) == 1
    wait(lambda: threading.active_count() == threads, lambda: f"threads are left: {threading.enumerate()}")
    lines = [json.loads(line) for line in b"".join(written).splitlines()]
    asked = [path for path in misbehaving_app.OFFENCES for path in (path, *["/healthy"] * 3)]
    assert [line["target"] for line in lines] == asked
    assert {line["remote_addr"] for line in lines} == {"" if unix else "127.0.0.1"}
