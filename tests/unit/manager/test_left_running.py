"""What a plan says of processes that serve on without a manager."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wsgigroups.manager.left_running import left_running
from wsgigroups.runtime.wire import frames, messages


@pytest.fixture
def spawner() -> Iterator[Callable[[bool], Path]]:
    """One that has nothing, and says so unless it is of a version that does not know the question."""
    with tempfile.TemporaryDirectory(prefix="wg-") as directory, socket.socket(socket.AF_UNIX) as listener:
        path = Path(directory) / "3.11-1.sock"
        listener.bind(str(path))
        listener.listen()
        threads: list[threading.Thread] = []

        def start(knows: bool) -> Path:
            def serve() -> None:
                peer = listener.accept()[0]
                with peer:
                    peer.recv(4096)
                    if knows:
                        frames.send(peer, messages.InventoryEnded().to_frame())

            threads.append(threading.Thread(target=serve))
            threads[-1].start()
            return path

        yield start
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("knows", "words"),
    [(True, "0 processes serve on"), (False, "what a spawner of another version has serves on")],
)
def test_a_number_is_said_only_where_it_is_known(
    knows: bool, words: str, spawner: Callable[[bool], Path], tmp_path: Path
) -> None:
    _groups, notices = left_running([spawner(knows)], tmp_path, tmp_path / "state")
    assert notices[-1].startswith(f"no manager runs, {words}; ")
