"""Reading what one daemon reports, in turns of the event loop: so much of it, so often, and not a byte more.

Runs in the manager's only thread. The writer may be hostile: a turn takes one buffer and decodes a few lines, so that
a flood of one process leaves the loop to the others; who says too much, or what is no message, is cut off.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.lines import READ_BYTES, LineError, LineReceiver
from wsgigroups.runtime.wire.rates import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES_PER_TURN = 8
# In tokens. A daemon sends no more than eight of each of its four types at once, and one a second after that.
BURST = 128.0
PER_S = 10.0
MISTAKE = 16.0  # of a message that is unknown or not its own: versions may differ by one, nobody needs many
_BYTES_PER_TOKEN = 32768


class Reports:
    """The read end of one life's reports, or of a user's spawner's.

    on_cut(why) is called once, if ever; nothing is read after it.
    """

    def __init__(
        self,
        fd: int,
        on_message: Callable[[messages.Message], bool],
        on_cut: Callable[[str], None],
        *,
        joins_late: bool = False,
        stays: bool = False,
        burst: float = BURST,
        per_s: float = PER_S,
    ) -> None:
        """Own the descriptor. on_message tells whether the message was one to send; joins_late: others read before.

        stays: the other end is not closed before the process ends. burst, per_s: how many messages it may send at once,
        and then in a second.
        """
        self.fd = fd
        self._on_message = on_message
        self._on_cut = on_cut
        self._loop = asyncio.get_running_loop()
        self._receiver = LineReceiver(joins_late=joins_late)
        self._stays = stays
        self._per_s = per_s
        self._bucket = Bucket(burst, per_s, self._loop.time())
        self._reading = False
        self._ended = False
        os.set_blocking(fd, False)

    def start(self) -> None:
        """Read from now on."""
        self._pause(reading=True)

    def last_words(self) -> None:
        """Take one buffer of what a process that has ended left behind."""
        if self._ended:
            return
        self._pause(reading=False)
        self._on_cut = lambda _why: None
        self._turn(everything=True)
        self.close()

    def close(self) -> None:
        """Read no more and close the descriptor; again does nothing."""
        if self.fd < 0:
            return
        self._pause(reading=False)
        self._ended = True
        os.close(self.fd)
        self.fd = -1

    def _pause(self, *, reading: bool) -> None:
        if reading and not self._reading and not self._ended:
            self._loop.add_reader(self.fd, self._turn)
        elif not reading and self._reading:
            self._loop.remove_reader(self.fd)
        self._reading = reading

    def _turn(self, *, everything: bool = False) -> None:
        try:
            data = os.read(self.fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            data = None
        except OSError as error:  # a tenant can splice pages into a pipe that are gone when they are read
            self._cut(f"its reports cannot be read: {error.strerror}")
            return
        if data == b"":
            if self._stays:
                self._cut("it has closed its reports")
                return
            self._pause(reading=False)  # nobody has the write end any more; the process's end is seen by its pidfd
        try:
            self._receiver.feed(data or b"")
        except LineError as error:
            self._cut(str(error))
            return
        self._decode(everything=everything)

    def _decode(self, *, everything: bool = False) -> None:
        """Decode the lines of this turn. Those that are over wait for the next one, and nothing is read meanwhile."""
        turns = 0
        while self._receiver.waiting and not self._ended:
            if turns == MESSAGES_PER_TURN and not everything:
                self._pause(reading=False)
                self._loop.call_soon(self._resume)
                return
            turns += 1
            if not self._take():
                return

    def _resume(self) -> None:
        if self._ended:
            return
        self._decode()
        if not self._receiver.waiting:
            self._pause(reading=True)

    def _take(self) -> bool:
        """Decode one line and hand it on; False when that was the end."""
        if not self._pay(1 + self._receiver.size_bytes() // _BYTES_PER_TOKEN):
            return False
        try:
            body = self._receiver.take()
        except LineError as error:
            self._cut(str(error))
            return False
        if not body:
            return True
        try:
            fine = self._on_message(messages.decode(body))
        except messages.MessageError:
            fine = False
        return fine or self._ended or self._pay(MISTAKE)

    def _pay(self, cost: float) -> bool:
        if self._bucket.take(cost, self._loop.time()):
            return True
        self._cut(f"it sends more than {self._per_s:g} messages a second, or what is not its to send")
        return False

    def _cut(self, why: str) -> None:
        self.close()
        self._on_cut(why)
