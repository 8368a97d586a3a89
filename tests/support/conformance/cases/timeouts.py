"""Timeouts and limits that fire: which of two fires first, and what the clients get."""

from __future__ import annotations

import threading

from support.conformance.asking import Asked, Later
from support.conformance.case import Case, Facts, better, on_purpose
from support.conformance.cases.answers import NO_FRONT
from support.conformance.cases.loading import NOTES_ITS_PROCESS


def _stuck(asked: Asked) -> Facts:
    """One of two threads stuck, then both: the sum of their ages over the threads decides."""
    one, pid = asked.held("/held-for-good")
    alone = one.answer().outcome
    replaced = asked.followed(pid)
    both = [asked.held("/held-for-good") for _ in range(2)]
    outcomes = {late.answer().outcome for late, _pid in both}
    took_s = max(late.took_s for late, _pid in both)
    return {
        "one request stuck in two threads": alone,
        "two stuck in two threads": ", ".join(sorted(outcomes)),
        "which fires sooner": "two stuck" if took_s < one.took_s else "one stuck",
        "the process is replaced": replaced,
    }


def _waiting(asked: Asked) -> Facts:
    held, _pid = asked.held()
    waiting = asked.later("/pid")
    answer = waiting.within(asked.patience_s)
    when = "while the thread is taken" if answer else "when the thread is free again"
    asked.gate.release()
    return {
        "the request that waited": waiting.answer().outcome,
        "when it is told": when,
        "the one before it": held.answer().outcome,
    }


def _backlog(asked: Asked) -> Facts:
    held, _pid = asked.held()
    many = [asked.later("/pid") for _ in range(12)]
    refused = _first(many, asked.patience_s)
    asked.gate.release()
    outcomes = {late.answer().outcome for late in many} | {held.answer().outcome}
    return {"refused while the queue is full": refused, "all": ", ".join(sorted(outcomes))}


def _first(many: list[Later], seconds: float) -> str:
    """Return what the first answer of some is."""
    found: list[str] = []
    came = threading.Event()

    def look(late: Later) -> None:
        answer = late.within(seconds + 30)
        if answer:
            found.append(answer.outcome)
            came.set()

    for late in many:
        threading.Thread(target=look, args=(late,), daemon=True).start()
    came.wait(seconds + 30)
    return found[0] if found else "nobody"


_HANGS_AT_EXIT = "import atexit, time\natexit.register(time.sleep, 600)\n"


def _interval(asked: Asked) -> Facts:
    held, pid = asked.held()
    early = held.within(3.0)  # the interval ends while the request runs, or a little later: it has to be the same
    asked.gate.release()
    return {"a request that runs meanwhile": (early or held.answer()).outcome, "it is replaced": asked.left(pid)}


def _interval_without_window(asked: Asked) -> Facts:
    """The interval ends while the request runs, which outlasts shutdown-timeout as well."""
    held, pid = asked.held("/held-longer")
    early = held.within(40.0 if asked.ours else 8.0)
    asked.gate.release()
    return {"a request that runs meanwhile": (early or held.answer()).outcome, "it is replaced": asked.left(pid)}


def _unused(asked: Asked) -> Facts:
    (pid,) = asked.loaded(1)
    return {"a process that never had a request": "stays" if asked.lasts(pid, 3.0) else "is replaced"}


def _slow_head(asked: Asked) -> Facts:
    """A head that takes longer than queue-timeout, when threads are free."""
    with asked.connection() as sock:
        sock.sendall(f"GET {asked.prefix}/pid HTTP/1.1\r\nHost: localhost\r\n".encode())
        sock.settimeout(2.0)
        try:
            early = sock.recv(100)
        except TimeoutError:
            early = b""
        sock.settimeout(60.0)
        sock.sendall(b"Connection: close\r\n\r\n")
        answer = early or sock.recv(100)
    return {"a request whose head took longer": answer.split()[1].decode()}


def _idle(asked: Asked) -> Facts:
    return {"it is replaced": asked.left(asked.pid())}


def _locked(asked: Asked) -> Facts:
    late, pid = asked.held("/held-gil")
    asked.gate.release()
    return {"the request that holds the GIL": late.answer().outcome, "it is replaced": asked.followed(pid)}


def _burned(asked: Asked) -> Facts:
    answer = asked.get("/burned")
    return {"the request that uses it up": answer.outcome, "it is replaced": asked.followed(int(answer.body))}


def _slow(asked: Asked) -> Facts:
    late = asked.later("/held")
    asked.gate.wait_arrival()
    early = late.within(3.0 if asked.ours else 40.0)  # Apache gives up, and we do not
    asked.gate.release()
    return {"a response that begins after socket-timeout": (early or late.answer()).outcome}


CASES = (
    Case("stuck", "request-timeout with two threads", _stuck,
         options={"threads": 2, "request-timeout": 3, "shutdown-timeout": 1},
         apart=on_purpose(NO_FRONT, "one request stuck in two threads", "two stuck in two threads")),
    Case("queue", "queue-timeout with one thread", _waiting, options={"threads": 1, "queue-timeout": 1},
         apart=better("The client is told when its time is over, not when a thread happens to be free.",
                      "when it is told")),
    Case("slow-head", "queue-timeout, and a head that comes slowly", _slow_head, options={"queue-timeout": 1},
         apart=better("A request waits in the queue once its head is complete; Apache counts from its first line on.",
                      "a request whose head took longer")),
    Case("backlog", "listen-backlog and connect-timeout with one thread", _backlog,
         options={"threads": 1, "listen-backlog": 1, "connect-timeout": 1}),
    Case("idle", "inactivity-timeout, and an exit function that hangs", _idle, lines=_HANGS_AT_EXIT,
         options={"inactivity-timeout": 1, "shutdown-timeout": 1}),
    Case("unused", "inactivity-timeout, and nobody asks", _unused, lines=NOTES_ITS_PROCESS,
         options={"inactivity-timeout": 1}),
    Case("interval", "restart-interval", _interval, options={"restart-interval": 2, "graceful-timeout": 60}),
    Case("interval-bare", "restart-interval without graceful-timeout", _interval_without_window,
         options={"restart-interval": 4, "shutdown-timeout": 2},
         apart=on_purpose("Without a window a process leaves within shutdown-timeout, as is documented; in mod_wsgi it "
                          "then waits for its requests for ever.", "a request that runs meanwhile")),
    Case("gil", "deadlock-timeout", _locked, options={"deadlock-timeout": 3, "shutdown-timeout": 1},
         apart=on_purpose(NO_FRONT, "the request that holds the GIL")),
    Case("processor", "cpu-time-limit", _burned, options={"cpu-time-limit": 1, "graceful-timeout": 100}),
    Case("slow", "socket-timeout", _slow, options={"socket-timeout": 1},
         apart=on_purpose("It is a time for reading and writing. How long an application may take is request-timeout's "
                          "to say; nobody stands between who could give up.",
                          "a response that begins after socket-timeout")),
)  # fmt: skip
