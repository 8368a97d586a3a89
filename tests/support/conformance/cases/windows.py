"""Windows: what becomes of requests in a process that is to go, and who answers meanwhile."""

from __future__ import annotations

import signal

from support.conformance.asking import Asked
from support.conformance.case import Case, Facts, better, on_purpose
from support.conformance.cases.answers import NO_FRONT


def _evicted(asked: Asked) -> Facts:
    """SIGUSR1 with a request that takes longer than shutdown-timeout, not as long as the window."""
    held, pid = asked.held("/held-in-the-window")
    asked.send_to_process(pid, signal.SIGUSR1)
    during = [asked.pid() for _ in range(3)]
    if asked.ours:
        during = [pid] if asked.followed(pid) != "yes" else [0]
    asked.gate.release()
    answer = held.answer()
    return {
        "the request in the process": answer.outcome,
        "requests meanwhile": "the same process" if during[-1] == pid else "its successor",
        "it is replaced": asked.followed(pid),
    }


def _cut(asked: Asked) -> Facts:
    held, pid = asked.held("/held-for-good")
    asked.send_to_process(pid, signal.SIGUSR1)
    return {"a request that outlasts both windows": held.answer().outcome, "it is replaced": asked.followed(pid)}


def _maximum(asked: Asked) -> Facts:
    held, pid = asked.held()
    for _ in range(2):
        asked.get("/pid")
    asked.gate.release()
    return {"a request in the process at its maximum": held.answer().outcome, "it is replaced": asked.followed(pid)}


def _stopped(asked: Asked) -> Facts:
    held, pid = asked.held()
    asked.send_to_process(pid, signal.SIGTERM)
    asked.gate.release()
    return {"the request in it": held.answer().outcome, "it is replaced": asked.followed(pid)}


def _stopped_late(asked: Asked) -> Facts:
    held, pid = asked.held("/held-for-good")
    asked.send_to_process(pid, signal.SIGTERM)
    return {"a request that outlasts shutdown-timeout": held.answer().outcome, "it is replaced": asked.followed(pid)}


CASES = (
    Case("evicted", "SIGUSR1, eviction-timeout 60", _evicted,
         options={"threads": 2, "eviction-timeout": 60, "shutdown-timeout": 1},
         apart=better("A successor is started first, and takes what is new.", "requests meanwhile")),
    Case("cut", "SIGUSR1, eviction-timeout 1, shutdown-timeout 1", _cut,
         options={"threads": 2, "eviction-timeout": 1, "shutdown-timeout": 1},
         apart=on_purpose(NO_FRONT, "a request that outlasts both windows")),
    Case("maximum", "maximum-requests, graceful-timeout 60", _maximum,
         options={"threads": 3, "maximum-requests": 2, "graceful-timeout": 60, "shutdown-timeout": 1}),
    Case("stopped", "SIGTERM, shutdown-timeout 60", _stopped, options={"shutdown-timeout": 60}),
    Case("stopped-late", "SIGTERM, shutdown-timeout 1", _stopped_late, options={"shutdown-timeout": 1},
         apart=on_purpose(NO_FRONT, "a request that outlasts shutdown-timeout")),
)  # fmt: skip
