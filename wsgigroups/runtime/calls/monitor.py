"""The monitor: the thread that beats the heart, watches the leader, and leads itself when nobody else can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ..originals import Lock, time
from ..threads import ServerThread
from ..wire.board import WORD
from .pace import TICK_S
from .places import LONG_NS, note_places

if TYPE_CHECKING:
    from .crew import Crew

HEARTBEAT_S = 1.0
_QUIET_TICKS = 10  # ticks without a new call after which it sleeps until the next one
_HEARTBEAT, _WAKES, _LATE = WORD["heartbeat_ns"], WORD["wakes"], WORD["late_ns"]


class Monitor:
    """Of one crew. It never calls the application."""

    def __init__(self, crew: "Crew") -> None:
        self._crew = crew
        self.leads = False
        self.sleeps = False  # for long: whoever begins a call wakes it
        self._bell = Lock()
        self._bell.acquire()
        self._thread: Optional[ServerThread] = None
        self._noted_ns = 0  # when places were noted last

    def start(self) -> None:
        """Start the thread. Raises RuntimeError."""
        self._thread = ServerThread("wsgigroups-monitor", self._run)
        self._thread.start()

    def wake(self) -> None:
        """Cut its sleep short; a second wake-up before it has slept changes nothing."""
        self.sleeps = False
        try:
            self._bell.release()
        except RuntimeError:  # released already
            return

    def join(self, until_s: float) -> bool:
        """Wait for its end until then, as time.monotonic; whether it has ended."""
        return self._thread is None or self._thread.join(until_s - time.monotonic())

    def _run(self) -> None:
        try:
            self._keep_watch()
        except BaseException as error:  # noqa: BLE001 — whatever it is, it must not end in silence
            self._crew.fail(error)

    def _keep_watch(self) -> None:
        crew = self._crew
        beat_s = time.monotonic()
        quiet = turn = 0
        while not crew.closing:
            if self.leads:
                self._lead()
            elif quiet < _QUIET_TICKS:
                self._tick()
            else:
                self._sleep_until(self._due_s(beat_s + HEARTBEAT_S), turn)
            now_s = time.monotonic()
            crew.slow.look(crew.clock())
            if now_s - beat_s >= HEARTBEAT_S:
                beat_s = now_s
                crew.words[_HEARTBEAT] = crew.clock()
                self._note_places(crew.clock())
                crew.poller.listening.tell(len(crew.poller.connections.open))
                crew.lanes.forget(crew.clock())
            if turn != crew.turn:
                turn = crew.turn
                quiet = 0
            else:
                quiet += 1
                if not self.leads:
                    crew.take_over()
            crew.caller.access.flush()

    def _due_s(self, beat_s: float) -> float:
        """Return when to wake at the latest, as time.monotonic: to beat, or because a request is slow by then."""
        now_ns = self._crew.clock()
        due_ns = self._crew.slow.due_ns(now_ns)
        return min(beat_s, time.monotonic() + (due_ns - now_ns) / 1e9) if due_ns else beat_s

    def _tick(self) -> None:
        """Sleep for a tick, and count how much longer that took: the measure of what threads wait for each other."""
        begun_s = time.monotonic()
        if not self._bell.acquire(timeout=TICK_S):
            words = self._crew.words
            words[_WAKES] += 1
            words[_LATE] += max(0, int((time.monotonic() - begun_s - TICK_S) * 1e9))

    def _sleep_until(self, when_s: float, turn: int) -> None:
        """Sleep until then, or until a leader begins a turn or hands over."""
        self.sleeps = True
        # A leader that began a turn before it could see the flag will not wake us.
        if turn == self._crew.turn and not self.leads:
            self._bell.acquire(timeout=max(0.0, when_s - time.monotonic()))
        self.sleeps = False

    def _note_places(self, now_ns: int) -> None:
        if now_ns - self._noted_ns >= LONG_NS:
            self._noted_ns = now_ns
            note_places(self._crew.threads.all, self._crew.words, self._crew.notes, now_ns)

    def _lead(self) -> None:
        """Lead while every request thread is in the application."""
        crew = self._crew
        poller = crew.poller
        while not crew.closing:
            if crew.hand_over():
                return
            crew.words[_HEARTBEAT] = now_ns = crew.clock()
            self._note_places(now_ns)
            crew.slow.look(now_ns)
            if not poller.ready:
                crew.caller.access.flush()
                poller.look_by_ns = crew.slow.due_ns(now_ns)
                poller.wait()  # at most LONGEST_WAIT_S, since connections are open
                poller.look_by_ns = 0
                continue
            connection = poller.step()
            if connection is not None:
                crew.waiting.put(connection)
