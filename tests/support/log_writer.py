"""A log writer in a thread, and what its manager would say to it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from wsgigroups.runtime.logwriter.loop import WritingLoop
from wsgigroups.runtime.wire import log_frames, log_messages
from wsgigroups.runtime.wire.frames import Channel

TOKEN = "0123456789abcdef"
HUNG_S = 20.0


class WriterUnderTest:
    """A context: the writer runs in it, and has ended when it ends."""

    def __init__(self, directory: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._path = str(directory / "w.sock")
        self._listener.bind(self._path)
        self._listener.listen(4)
        self._writer = WritingLoop(self._listener, os.geteuid())
        self._thread = threading.Thread(target=self._writer.run)
        self.sources: list[log_messages.KeptSource] = []
        self.fds: list[int] = []
        self.keeper = -1
        self._number = 0
        self._told: list[log_messages.LogMessage] = []

    def __enter__(self) -> WriterUnderTest:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self.say(log_messages.EndWriting())
        self.ended()
        self._writer.close()
        self.channel.sock.close()
        self._listener.close()
        for fd in self.fds:
            os.close(fd)

    def connect(self) -> None:
        """Be the manager from now on."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(HUNG_S)
        sock.connect(self._path)
        self.channel = Channel(sock)
        self.say(log_messages.LogHello(log_messages.ABI, os.getpid()))
        self.sources = []
        while not isinstance(message := self.hear(), log_messages.SourcesEnded):
            if isinstance(message, log_messages.KeptSource):
                self.sources.append(message)

    def leave(self) -> None:
        """Be a manager that has ended."""
        self.channel.sock.close()

    def ended(self) -> None:
        """Wait for its end."""
        self._thread.join(HUNG_S)
        assert not self._thread.is_alive()

    def say(self, message: log_messages.LogMessage, fds: Sequence[int] = ()) -> None:
        """Send a message."""
        self.channel.send(message.to_frame(), fds)

    def hear(self) -> log_messages.LogMessage:
        """Wait for the next message."""
        body, fds = self.channel.receive()
        self.fds += fds
        return log_messages.decode(body)

    def hear_of(self, kind: type[log_messages.LogMessage]) -> log_messages.LogMessage:
        """Wait for a message of a kind."""
        while True:
            for message in self._told:
                if isinstance(message, kind):
                    self._told.remove(message)
                    return message
            self._told.append(self.hear())

    def outlet(self, path: Path, **facts: object) -> None:
        """Have a file written to, under its path."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.say(log_messages.LogOutlet(str(path), **facts), [fd])  # type: ignore[arg-type]
        os.close(fd)

    def source(self, key: str, path: Path, **facts: object) -> int:
        """Make a pipe to it; return the write end, the caller's."""
        read_end, write_end = os.pipe()
        more = {"group": "blog", "slot": 1, "life": 7, "pid": 99, "token": TOKEN, **facts}
        self.say(log_messages.LogSource(key, str(path), **more), [read_end])  # type: ignore[arg-type]
        self.keeper = read_end  # a manager keeps it, too
        self.fds.append(read_end)
        return write_end

    def flush(self) -> None:
        """Wait until what was said is written."""
        self._number += 1
        self.say(log_messages.Flush(self._number))
        assert self.hear_of(log_messages.Flushed) == log_messages.Flushed(self._number)


def record(text: str, level: str = "info", pid: int = 99) -> bytes:
    """Return a record as it comes through a pipe."""
    payload = log_frames.record_payload(level, 5, "", text)
    return b"".join(log_frames.frames(TOKEN.encode(), log_frames.RECORD, pid, payload))
