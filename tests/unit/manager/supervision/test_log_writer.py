"""The manager's side of the log writer: started when it is needed, replaced when lost, found by the next manager."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from support.log_writer import TOKEN, record
from support.looking import pause

from wsgigroups.manager.supervision import log_writer, starting_logs
from wsgigroups.manager.supervision.log_writer import LogWriter, OutletFacts
from wsgigroups.runtime.wire import log_messages
from wsgigroups.runtime.wire.log_messages import LogSource

HUNG_S = 20.0


class Bench:
    """A run directory and a log."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="wg-", dir="/tmp"))
        self.log = self.directory / "a.log"
        self.own = os.open(self.directory / "manager.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.writers: list[LogWriter] = []
        self.said: list[str] = []
        self.full: list[str] = []

    def writer(self) -> LogWriter:
        """Return a manager's log writer."""
        made = LogWriter(self.directory, self.own, self._note, _opened, self.full.append)
        self.writers.append(made)
        return made

    def _note(self, _level: str, text: str) -> None:
        self.said.append(text)

    def lines(self) -> list[str]:
        """What was said."""
        return re.findall(r"info: (.*)", self.log.read_text()) if self.log.exists() else []

    def facts(self, key: str = "7") -> LogSource:
        return LogSource(key, str(self.log), "blog", 1, 7, 99, TOKEN)

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for a fact."""
        loop = asyncio.get_running_loop()
        until = loop.time() + HUNG_S
        while not condition():
            assert loop.time() < until, (self.lines(), self.said)
            await asyncio.to_thread(pause)

    async def gone(self) -> None:
        """Wait until every log writer was reaped."""
        await self.wait(lambda: not any(writer.child_pids() for writer in self.writers))

    def close(self) -> None:
        os.close(self.own)
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def play(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def test_it_is_started_by_the_first_pipe_and_ends_with_everything_written(bench: Bench) -> None:
    async def story() -> None:
        writer = bench.writer()
        assert not writer.child_pids()
        fd, own = writer.pipe(bench.facts(), OutletFacts())
        os.write(own, record("early"))
        await bench.wait(lambda: bench.lines() == ["early"])
        os.write(own, record("words"))
        assert writer.last_words("7").endswith("info: words")
        os.write(own, record("late"))
        os.close(fd)
        os.close(own)
        await writer.end()
        await bench.gone()
        assert bench.lines() == ["early", "words", "late"]
        assert not writer.path.exists()
        assert not writer.child_pids()
        assert bench.said == []

    play(story)


def test_who_waits_for_its_start_is_heard_from_its_first_word(bench: Bench) -> None:
    async def story() -> None:
        writer = bench.writer()
        writer.begin()
        await writer.there()
        fd, own = writer.pipe(bench.facts(), OutletFacts())
        os.write(own, record("words"))
        os.close(fd)
        os.close(own)
        assert writer.last_words("7").endswith("info: words"), "it had not been there when the process ended"
        await writer.end()
        await bench.gone()

    play(story)


def test_nobody_waits_for_one_that_does_not_come(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        starting = asyncio.Event()

        async def start(*_arguments: object) -> None:
            if starting.is_set():
                await asyncio.Event().wait()
            starting.set()
            raise OSError("no")

        monkeypatch.setattr(log_writer, "start", start)
        monkeypatch.setattr(log_writer, "AGAIN_S", (0.0,))
        writer = bench.writer()
        writer.begin()
        await writer.there()
        assert starting.is_set()
        monkeypatch.setattr(log_writer, "THERE_S", 10 * HUNG_S)
        writer.begin()
        second = writer._coming
        assert second is not None
        await bench.wait(lambda: writer._starts == 2)
        await asyncio.wait_for(writer.there(), HUNG_S)
        assert not second.done()
        second.cancel()
        await asyncio.wait({second})

    play(story)


def test_what_is_said_while_it_is_gone_waits_for_the_next_one(bench: Bench) -> None:
    async def story() -> None:
        writer = bench.writer()
        fd, own = writer.pipe(bench.facts(), OutletFacts())
        os.write(own, record("one"))
        await bench.wait(lambda: bench.lines() == ["one"])
        first = writer.pid
        os.kill(first, signal.SIGKILL)
        os.write(own, record("two"))
        await bench.wait(lambda: bench.lines() == ["one", "two"])
        assert writer.pid != first
        assert bench.said == [f"the log writer (pid {first}) is gone; another one goes on"]
        os.kill(writer.pid, signal.SIGSTOP)
        assert writer.last_words("7") == ""
        for _ in range(8):
            writer.look()
        os.write(own, record("three"))
        await bench.wait(lambda: bench.lines() == ["one", "two", "three"])
        assert "does not answer: it is killed and replaced" in bench.said[1]
        os.close(fd)
        os.close(own)
        await writer.end()
        await bench.gone()

    play(story)


def test_the_next_manager_finds_it_with_its_pipes(bench: Bench) -> None:
    async def story() -> None:
        writer = bench.writer()
        fd, own = writer.pipe(bench.facts(), OutletFacts())
        os.write(own, record("one"))
        await bench.wait(lambda: bench.lines() == ["one"])
        pid = writer.pid
        await writer.leave()
        os.write(own, record("alone"))
        follower = bench.writer()
        await follower.discover()
        assert follower.pid == pid
        assert follower.knows("7")
        await bench.wait(lambda: bench.lines() == ["one", "alone"])
        bench.log.rename(bench.directory / "a.log.1")
        follower.change("7", OutletFacts(format="json"), pid=100)
        os.write(own, record("two", pid=100))
        await bench.wait(lambda: bench.log.exists() and '"Body":"two"' in bench.log.read_text())
        os.close(fd)
        os.close(own)
        await bench.wait(lambda: not follower.knows("7"))
        await follower.end()
        await bench.gone()
        assert bench.said == []

    play(story)


def test_one_of_another_installation_is_replaced_without_a_loss(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        writer = bench.writer()
        fd, own = writer.pipe(bench.facts(), OutletFacts())
        os.write(own, record("one"))
        await bench.wait(lambda: bench.lines() == ["one"])
        pid = writer.pid
        await writer.leave()
        monkeypatch.setattr("wsgigroups.runtime.wire.log_messages.ABI", 99)
        follower = bench.writer()
        found = asyncio.create_task(follower.discover())
        os.write(own, record("two"))
        await found
        monkeypatch.undo()
        follower.change("7", OutletFacts())
        os.write(own, record("three"))
        await bench.wait(lambda: bench.lines() == ["one", "two", "three"])
        assert follower.pid != pid
        os.close(fd)
        os.close(own)
        await follower.end()
        await bench.gone()

    play(story)


def test_a_file_that_is_full_is_told_of_and_no_other(bench: Bench) -> None:
    async def story() -> None:
        writer = bench.writer()
        fd, own = writer.pipe(bench.facts(), OutletFacts(rotate_bytes=100))
        os.write(own, record("x" * 200))
        await bench.wait(lambda: bench.full == [str(bench.log)])
        writer.hear(log_messages.Full("/etc/passwd").to_frame(), [])
        os.write(own, record("after"))
        await bench.wait(lambda: bench.lines()[-1] == "after")
        assert bench.full == [str(bench.log)]
        os.close(fd)
        os.close(own)
        await writer.end()
        await bench.gone()

    play(story)


def test_the_last_words_of_who_has_ended_are_known(bench: Bench) -> None:
    async def story() -> None:
        writer = bench.writer()
        fd, own = writer.pipe(bench.facts(), OutletFacts())
        os.write(own, record("the last"))
        os.close(fd)
        os.close(own)
        await bench.wait(lambda: not writer.knows("7"))
        assert writer.last_words("7").endswith("info: the last")
        assert writer.last_words("7") == ""
        await writer.end()
        await bench.gone()

    play(story)


def test_a_socket_that_nobody_listens_on_is_removed(bench: Bench) -> None:
    async def story() -> None:
        writer = bench.writer()
        writer.path.touch()
        await writer.discover()
        assert not writer.path.exists()
        await writer.end()
        await bench.gone()

    play(story)


def test_where_none_can_be_started_nobody_is_kept_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(log_writer, "AGAIN_S", (0.0,))
        monkeypatch.setattr(starting_logs, "_BOOTSTRAP", "/nonexistent")
        writer = bench.writer()
        fd, own = writer.pipe(bench.facts(), OutletFacts())
        os.set_blocking(fd, False)
        with contextlib.suppress(BlockingIOError):
            while True:  # until it is full
                os.write(fd, b"x" * 4095 + b"\n")
        os.set_blocking(fd, True)
        await bench.wait(lambda: any("lines of logs are lost" in text for text in bench.said))
        os.write(fd, b"goes on\n")
        monkeypatch.undo()
        await bench.wait(lambda: (bench.log.exists() and "goes on" in bench.log.read_text()) or _says(own))
        os.close(fd)
        os.close(own)
        await writer.end()
        await bench.gone()

    play(story)


def _says(own: int) -> bool:
    """Say it again: it may have come while nobody wrote."""
    os.write(own, record("goes on"))
    return False
