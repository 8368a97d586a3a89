"""Timeouts and limits that fire: which of two fires first, and what the clients get."""

from __future__ import annotations

import threading

from support.conformance.asking import Asked, Later
from support.conformance.case import Case, Facts, better, on_purpose
from support.conformance.cases.answers import NO_FRONT


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
    Case("backlog", "listen-backlog and connect-timeout with one thread", _backlog,
         options={"threads": 1, "listen-backlog": 1, "connect-timeout": 1}),
    Case("idle", "inactivity-timeout, and an exit function that hangs", _idle, lines=_HANGS_AT_EXIT,
         options={"inactivity-timeout": 1, "shutdown-timeout": 1}),
    Case("interval", "restart-interval", _interval, options={"restart-interval": 2, "graceful-timeout": 60}),
    Case("gil", "deadlock-timeout", _locked, options={"deadlock-timeout": 3, "shutdown-timeout": 1},
         apart=on_purpose(NO_FRONT, "the request that holds the GIL")),
    Case("processor", "cpu-time-limit", _burned, options={"cpu-time-limit": 1, "graceful-timeout": 100}),
    Case("slow", "socket-timeout", _slow, options={"socket-timeout": 1},
         apart=on_purpose("It is a time for reading and writing. How long an application may take is request-timeout's "
                          "to say; nobody stands between who could give up.",
                          "a response that begins after socket-timeout")),
)  # fmt: skip
