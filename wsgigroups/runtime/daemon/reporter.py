"""The daemon's side of its channel and its reports: hears what it should do, tells the manager where it stands.

Sends from the main thread only. Must never wait for a manager that does not read, except with a bound while failing.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Tuple, Type

from ..originals import os, select, socket, time
from ..wire import messages
from ..wire.frames import Channel, Frame, FrameError
from ..wire.lines import LineError, encode_line
from ..wire.rates import Bucket
from ..wire.spec import Spec, from_wire
from .descriptors import write_to

_FAILING_TIMEOUT_S = 5.0
_MAXIMUM_UNSAID_BYTES = 512 * 1024  # nobody reads while no manager runs; what matters is on the board as well
_BURST, _PER_S = 8, 1.0  # of each type: far below what the manager bears, however often an application asks for it


class SpecError(Exception):
    """The channel closed, or what came first was no spec; the message says which."""


class Reporter:
    """Messages of one life: in by its channel, out by its reports."""

    def __init__(self, channel_fd: int, reports_fd: int) -> None:
        self._sock = socket.socket(fileno=channel_fd)
        self._channel = Channel(self._sock)
        self._reports = reports_fd
        os.set_blocking(reports_fd, False)
        self._unsaid = bytearray()  # what the pipe had no room for
        self._rates: Dict[str, Bucket] = {}
        self.life = 0
        # Takes the messages that bring descriptors which only a gateway has a use for, and these.
        self.on_route: Callable[[messages.Message, List[int]], None] = _unwanted
        # Takes the token of a log writer and the descriptor for records, which is its own; "" and -1 without a writer.
        self.on_log: Callable[[str, int], None] = _without_writer
        self.early: List[messages.Message] = []  # what came before the daemon was ready to hear it

    def fileno(self) -> int:
        """Return the channel's descriptor, for poll."""
        return self._sock.fileno()

    def unsaid_fd(self) -> Optional[int]:
        """Return the descriptor to wait for until it takes more, for `flush`; None when all was said."""
        return self._reports if self._unsaid else None

    def descriptors(self) -> List[int]:
        """Return what must stay open."""
        return [self._sock.fileno(), self._reports]

    def receive_spec(self) -> Tuple[Spec, List[int]]:
        """Wait for the spec and its descriptors, in the order of SpecMessage. Raises SpecError."""
        try:
            body, fds = self._channel.receive()
            message = messages.decode(body)
            if not isinstance(message, messages.SpecMessage):
                raise SpecError("cannot start: a %s came instead of the spec" % body["type"])
            spec = from_wire(message.spec)
        except (EOFError, OSError, FrameError, messages.MessageError) as error:
            raise SpecError("cannot receive the spec: %s" % error) from error
        except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
            raise SpecError("cannot read the spec: %s: %s" % (type(error).__name__, error)) from error
        wanted = (
            (2 if spec.log_token else 1) + len(spec.listen) * (2 if spec.pulses else 1) + (1 if spec.access_log else 0)
        )
        if len(fds) != wanted:
            raise SpecError("cannot start: %d descriptors came with the spec, %d were announced" % (len(fds), wanted))
        self.life = spec.life
        return spec, fds

    def send(self, message: messages.Message) -> bool:
        """Send without waiting; False when nobody reads, or it was said too often: its board says the same."""
        name, now_s = type(message).__name__, time.monotonic()
        if not self._rates.setdefault(name, Bucket(_BURST, _PER_S, now_s)).take(1, now_s):
            return False
        return self._put(message) and self.flush()

    def send_failed(self, message: messages.Failed) -> None:
        """Send the last message of this process, waiting a bounded time for room."""
        until_s = time.monotonic() + _FAILING_TIMEOUT_S
        if not self._put(message):
            return
        poller = select.poll()
        poller.register(self._reports, select.POLLOUT)
        while self.flush() and self._unsaid:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not poller.poll(left_s * 1000):
                return  # the log and the exit code have it too

    def _put(self, message: messages.Message) -> bool:
        try:
            line = encode_line(message)
        except LineError:
            return False
        if len(self._unsaid) + len(line) > _MAXIMUM_UNSAID_BYTES:
            return False
        self._unsaid += line
        return True

    def flush(self) -> bool:
        """Write what the pipe takes; False when nobody will ever read it."""
        while self._unsaid:
            try:
                written = os.write(self._reports, self._unsaid)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                self._unsaid.clear()
                return False
            del self._unsaid[:written]
        return True

    def receive_ready(self) -> List[messages.Message]:
        """Read what has come; only after poll said so. Raises EOFError when nobody holds the other end any more.

        A message for another life, of an unknown type or with missing fields is dropped.
        """
        self._sock.setblocking(False)
        try:
            frames = self._channel.receive_ready()
        except (BlockingIOError, InterruptedError):
            return []
        except (OSError, FrameError) as error:
            raise EOFError("the channel is of no further use: %s" % error) from error
        return self._messages(frames)

    def receive_until(self, kind: Type[messages.Message]) -> None:
        """Wait for a message of this kind; others that come before it are in `early`. Raises EOFError, OSError.

        One that has descriptors goes to `on_route`.
        """
        waits = True
        while waits:
            try:
                body, fds = self._channel.receive()
            except FrameError as error:
                raise EOFError("the channel is of no further use: %s" % error) from error
            waits = body["type"] != messages.TYPE_OF[kind]
            self.early += self._messages([(body, fds)])

    def _messages(self, frames: List[Frame]) -> List[messages.Message]:
        found: List[messages.Message] = []
        for body, fds in frames:
            try:
                message = messages.decode(body)
            except messages.MessageError:
                message = None
            if message is not None and getattr(message, "life", None) == self.life:
                if isinstance(message, (messages.Route, messages.RouteFiles, messages.SiteCounts)):
                    self.on_route(message, fds)
                    continue
                found.append(message)
                if isinstance(message, messages.Reopen) and len(fds) == (2 if message.token else 1):
                    write_to(fds[0])
                    self.on_log(message.token, fds.pop() if message.token else -1)
            for fd in fds:
                os.close(fd)
        return found

    def forget(self) -> None:
        """Close both without a word: in a process that the application has forked."""
        self._sock.close()
        os.close(self._reports)


def _without_writer(_token: str, fd: int) -> None:
    if fd >= 0:
        os.close(fd)


def _unwanted(_message: messages.Message, fds: List[int]) -> None:
    for fd in fds:
        os.close(fd)
