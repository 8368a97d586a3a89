"""The threads that may call the application: what each is doing, and what it has done.

See crew.Crew for who runs when.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

from ..front.connection import RUNNING, Connection
from ..originals import Lock, get_ident, stack_size, time
from ..protocol.heads import Head
from ..records.tally import Tally, ThreadCounts
from ..threads import ServerThread
from ..wire.board import BUSY_WORD
from ..wire.histograms import QUEUE, QUICK_NS
from ..wire.notes import ASKED_OFFSET, NOTE_BYTES, path_of, write_ident


class RequestThread:
    """One thread that may call the application."""

    __slots__ = ("busy_word", "connection", "note", "tally", "thread", "wake")

    def __init__(self, index: int) -> None:
        self.busy_word = BUSY_WORD + index
        self.note = index * NOTE_BYTES + ASKED_OFFSET  # where in the notes of the board its request is written
        self.tally = Tally()
        self.connection: Optional[Connection] = None  # whose request it runs, or ran last
        self.wake = Lock()  # released to give it the baton, or to end it
        self.wake.acquire()
        self.thread: Optional[ServerThread] = None

    def asked(self) -> str:
        """Return method and path of its request, or of its last one; "" if that is not known any more."""
        connection = self.connection
        head = connection.head if connection is not None else None
        return "%s %s" % (head.method, path_of(head.target)) if head is not None else ""

    def introduce(self, notes: memoryview) -> None:
        """Write down on the board which thread it is; in the thread itself."""
        write_ident(notes, self.note - ASKED_OFFSET, get_ident())

    @property
    def head(self) -> Optional[Head]:
        """Return that of the request which it runs now."""
        connection = self.connection
        return connection.head if connection is not None and connection.state == RUNNING else None

    def waited(self, connection: Connection, start_ns: int) -> None:
        """Count how long a request has waited for a thread."""
        waited_ns = max(0, start_ns - connection.arrived_ns)
        self.tally.queue_ns += waited_ns
        connection.queued = start_ns, waited_ns
        if waited_ns > QUICK_NS:
            self.tally.took_long(QUEUE, waited_ns)
            self.tally.long_queues += 1
        connection.arrived_ns = 0


def _for(asked: str, age_ns: int) -> str:
    return "%s for %.1f s" % (asked, age_ns / 1e9)


class RequestThreads:
    """All of them, started one by one when they are needed. The caller of what changes them holds the poller's lock."""

    def __init__(
        self,
        most: int,
        stack_size_bytes: int,
        work: Callable[[RequestThread], None],
        words: memoryview,
        clock: Callable[[], int],
        log: Callable[[str, str], None],
    ) -> None:
        """stack_size_bytes: 0: the system's; work: what each runs, with itself; words: the board's."""
        self.most = most
        self.all: List[RequestThread] = []
        self.idle: List[RequestThread] = []  # last in, first out: few threads stay warm
        self._stack_size_bytes = stack_size_bytes
        self._work = work
        self._words = words
        self._clock = clock
        self._log = log

    def wake_one(self) -> bool:
        """Wake an idle thread, or start one; False if all there may be are busy."""
        if self.idle:
            self.idle.pop().wake.release()
            return True
        if len(self.all) >= self.most:
            return False
        thread = RequestThread(len(self.all))
        thread.wake.release()
        try:
            self._start(thread)
        except RuntimeError as error:  # a limit on processes or memory: serve with those that exist
            self._log("error", "cannot start request thread %d of %d: %s" % (len(self.all) + 1, self.most, error))
            self.most = max(1, len(self.all))
            return False
        self.all.append(thread)
        return True

    def _start(self, thread: RequestThread) -> None:
        before = stack_size(self._stack_size_bytes) if self._stack_size_bytes else None
        try:
            thread.thread = ServerThread("wsgigroups-request-%d" % len(self.all), self._work, thread)
            thread.thread.start()
        finally:
            if before is not None:
                stack_size(before)

    def busy(self) -> bool:
        """Whether one is in the application."""
        return any(self._words[thread.busy_word] for thread in self.all)

    def in_flight(self) -> List[str]:
        """Return method, path and age of the requests in the application, the oldest first.

        Read while the threads go on: a request that ends meanwhile may be there.
        """
        found = sorted((self._words[thread.busy_word], thread.asked()) for thread in list(self.all))
        now_ns = self._clock()
        return [_for(asked, now_ns - since_ns) for since_ns, asked in found if since_ns and asked]

    def idents(self) -> List[int]:
        """Return the threads whose requests are in the application, the oldest request first."""
        found = sorted((self._words[thread.busy_word], number) for number, thread in enumerate(list(self.all)))
        threads = [self.all[number].thread for since_ns, number in found if since_ns]
        return [thread.ident for thread in threads if thread is not None]

    def request_of(self, number: int, since_ns: int) -> Tuple[int, Callable[[], bool], str]:
        """Return the ident of a thread, 0 if it runs no request since then; whether it still does; what it is."""

        def still() -> bool:
            return since_ns > 0 and bool(self._words[BUSY_WORD + number] == since_ns)

        threads = list(self.all)
        if not 0 <= number < len(threads) or not still():
            return 0, still, ""
        thread = threads[number].thread
        ident = thread.ident if thread is not None else 0
        return ident, still, _for(threads[number].asked(), self._clock() - since_ns)

    def current_number(self) -> int:
        """Return the number of the calling thread; -1 if it is none of these."""
        ident = get_ident()
        threads = [item.thread for item in list(self.all)]
        return next((number for number, item in enumerate(threads) if item is not None and item.ident == ident), -1)

    def current_head(self) -> Optional[Head]:
        """Return that of the request which the calling thread runs; None if it runs none."""
        number = self.current_number()
        return None if number < 0 else self.all[number].head

    def heads(self) -> List[Head]:
        """Return those of the requests in the application. Read while the threads go on."""
        found = [thread.head for thread in list(self.all) if self._words[thread.busy_word]]
        return [head for head in found if head is not None]

    def work(self) -> List[ThreadCounts]:
        """Return what each thread has done. Read while they go on: of one request a part may be there."""
        return [
            ThreadCounts(
                tuple(thread.tally.statuses),
                thread.tally.queue_ns,
                thread.tally.application_ns,
                thread.tally.received_bytes,
                thread.tally.sent_bytes,
                self._words[thread.busy_word] if thread.head is not None else 0,
            )
            for thread in list(self.all)
        ]

    def wake_idle(self) -> None:
        """Wake those that are idle, so that they end."""
        idle, self.idle = self.idle, []
        for thread in idle:
            thread.wake.release()

    def join(self, until_s: float) -> bool:
        """Wait for all to end; until_s: as time.monotonic. Returns whether they have. Without the lock."""
        threads = [thread.thread for thread in self.all if thread.thread is not None]
        return all(thread.join(until_s - time.monotonic()) for thread in threads)
