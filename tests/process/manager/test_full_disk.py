"""Logs, state and bodies on a disk that is full: requests go on, nothing else is begun, and it passes by itself."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.full_disk import Cramped
from support.log_settling import settle
from support.manager import APPS

pytestmark = [pytest.mark.root, pytest.mark.needs("unshare", "mount")]
BIG_BYTES = 200_000  # chunked, it has to be collected in a file, which is larger than the whole disk


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Cramped]:
    with Cramped(tmp_path) as under_test:
        yield under_test


def group(manager: Cramped, port: int, more: str = "") -> str:
    environment = f'environment = {{ TMPDIR = "{manager.base}/disk/spool" }}\n'
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    log = f'error-log = "{manager.base}/disk/a.log"\naccess-log = "common"\n'
    return f'[groups.a]\napp = "noisy_app:application"\nprocesses = 2\n{where}{environment}{log}{more}'


def send_chunked(port: int, size: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        blocks = (b"x" * 10_000 for _ in range(size // 10_000))
        connection.request("POST", "/", blocks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_full_disk_costs_lines_and_no_request(manager: Cramped) -> None:
    port = manager.port()
    text = group(manager, port)
    with manager.foreground(str(manager.write(text))) as process:
        manager.wait_up("a")
        manager.wait_for("both are ready", lambda: len(manager.pids("a")) == 2)
        before, revision = manager.pids("a"), manager.status()["revision"]
        state = manager.seen(manager.state_dir / "state.json")
        with manager.clients(port, 4) as clients:
            clients.wait_for_more(20)
            manager.fill()
            stored = state.read_bytes()
            clients.wait_for_more(400)
            # what has to be stored first does not begin
            done = manager.apply(group(manager, port, "threads = 3\n"), code=1)
            assert "No space left on device" in done.stderr
            assert "nothing was changed" in done.stderr
            assert manager.pids("a") == before
            assert manager.status()["revision"] == revision
            assert state.read_bytes() == stored
            assert send_chunked(port, BIG_BYTES)[0] == 503  # it says why, and the next one has a chance
            assert send_chunked(port, 60_000) == (200, b"60000")
            # who dies is followed
            os.kill(before[1], signal.SIGKILL)
            manager.wait_for("it is followed", lambda: manager.pids("a").get(1) not in (None, before[1]))
            clients.wait_for_more(100)
        log = manager.seen(manager.disk / "a.log")
        os.truncate(log, 0)  # it has taken all room that there was
        manager.empty()
        for _ in range(20):
            assert manager.get(port)[0] == 200
        assert send_chunked(port, 20_000) == (200, b"20000")
        manager.apply(group(manager, port, "threads = 3\n"))
        assert manager.group("a")["threads"] == 3
        assert {failure.how for failure in clients.failures} <= {"closed", "reset"}
        assert len(clients.failures) <= 4  # those of the process that was killed
        assert manager.status()["revision"] > revision
        assert json.loads(state.read_bytes())["revision"] == manager.status()["revision"]
        settle()
        said = log.read_text()
        counts = [int(number) for number in re.findall(r"warning: (\d+) lines could not be written: No space", said)]
        assert sum(counts) > 400
        assert process.poll() is None
        process.terminate()
        assert process.wait(30) == 0
