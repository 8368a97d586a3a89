"""The daemon's side of its channel: tells the manager where it stands, hears what it should do.

Sends from the main thread only. Must never wait for a manager that does not read, except with a bound while failing.
"""

from __future__ import annotations

import os
import socket
from typing import List, Tuple

from ..wire import messages
from ..wire.frames import Channel, FrameError
from ..wire.spec import Spec, from_wire

_FAILING_TIMEOUT_S = 5.0


class SpecError(Exception):
    """The channel closed, or what came first was no spec; the message says which."""


class Reporter:
    """Messages of one life on its channel."""

    def __init__(self, channel_fd: int) -> None:
        self._sock = socket.socket(fileno=channel_fd)
        self._channel = Channel(self._sock)
        self._pid = os.getpid()
        self.life = 0

    def fileno(self) -> int:
        """Return the descriptor, for poll."""
        return self._sock.fileno()

    def receive_spec(self) -> Tuple[Spec, List[int]]:
        """Wait for the spec and its descriptors, [log, listener …]. Raises SpecError."""
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
        wanted = 1 + len(spec.listen) * (2 if spec.pulses else 1) + (1 if spec.access_log else 0)
        if len(fds) != wanted:
            raise SpecError("cannot start: %d descriptors came with the spec, %d were announced" % (len(fds), wanted))
        self.life = spec.life
        return spec, fds

    def send(self, message: messages.Message) -> bool:
        """Send without waiting; False when the manager is gone or does not read: its board says the same."""
        self._sock.setblocking(False)
        try:
            self._channel.send(message.to_frame())
        except OSError:
            return False
        return True

    def send_failed(self, message: messages.Failed) -> None:
        """Send the last message of this process, waiting a bounded time for room."""
        self._sock.settimeout(_FAILING_TIMEOUT_S)
        try:
            self._channel.send(message.to_frame())
        except OSError:  # the log and the exit code have it too
            return

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
        found = []
        for body, fds in frames:
            for fd in fds:
                os.close(fd)
            try:
                message = messages.decode(body)
            except messages.MessageError:
                continue
            if getattr(message, "life", None) == self.life:
                found.append(message)
        return found

    def forget(self) -> None:
        """Close the channel without a word: in a process that the application has forked."""
        self._sock.close()
