"""docs/lifecycle.md: the life of a process, its diagram, tables and durations from `wsgigroups/lifecycle`."""

from __future__ import annotations

from wsgigroups.lifecycle import backoff
from wsgigroups.lifecycle.status import PROCESS_STATE
from wsgigroups.lifecycle.step import EXIT_S, KILL_RETRY_S, SPAWN_S, STALLED_SHUTDOWN_S
from wsgigroups.lifecycle.table import IGNORE, TABLE, TIMER, EventKind, Timer, Transition
from wsgigroups.manager.core.haste import SERVED_S
from wsgigroups.manager.supervision.start_queue import AT_LEAST, EACH_PROCESSOR, SLOW_S

_PAGE = """\
# The life of a process

A *slot* of a group is held by a *record*; each process that holds it is a *life* with a number that only grows. Every
event meets the record's state in one table (`wsgigroups/lifecycle/table.py`), and every cell of it is filled. A state
has at most one deadline; entering the next state sets or clears it, so a timer of an earlier state cannot fire.

The diagram, the tables and the durations on this page are made from the code by `make schemas`.

```mermaid
@DIAGRAM@
```

`·` ignored, `✗` impossible (logged as a bug, nothing changes). "drain" asks the daemon to leave, "kill" is SIGKILL to
its process group. The deadlines: *spawn* @SPAWN@ from its turn to be forked, *startup* the group's startup-timeout,
*drain* the window of the drain plus shutdown-timeout plus @EXIT@ for the exit itself, *kill* @KILL@ until it is
repeated, *backoff* @DELAYS@, each ±@JITTER@ %, beginning again after @HEALTHY@ of
health. The time for which the life was ready counts as waiting: a process that had been ready at least as long as
the wait is restarted at once; one that keeps crashing waits for the whole of it.

The same wait applies to a life that wants a successor (maximum-requests, a script that changed, a signal …) or stalls
soon after it was ready, counted for its slot over its lives. One that wants a successor serves on meanwhile, and is
followed when it was ready for @SERVED@ at the latest, so that a small `maximum-requests` under a high load recycles no
more often than that and loses nothing; after one that stalls, the next life of the slot begins when the wait is over.
`restart`, `reload`, `start` and `apply` end the wait. Three lives of a slot that stall in a row end a rollout as a
successor does that does not come up.

Of many lives that begin together only so many are under way at once that each comes up in its time: @PLACES@ for each
processor, at least @LEAST@. One that takes longer than @SLOW@ gives its place to the next, and of those that wait the
group goes first that has the fewest under way.

@TABLE@

## What people read

@WORDS@

## What is kept of a death

A life that ends without being asked to leaves a record for its slot: what the manager saw (a signal, an exit code,
the option behind a verdict), what the daemon could still say (step, sentence, traceback), and for one that was
judged, the requests in the application and the stacks of its threads. The latest of the group is `last_error` in
`status`, that of each slot `last_death`; `why GROUP/SLOT` shows the slot's. Requests and stacks are in the log before
the daemon is told to leave. While something holds the GIL the daemon cannot name its requests; then the log has the
stacks alone, written on a signal. Besides, every process that ends leaves a record of its own, which survives the
manager: [deaths](deaths.md).

The third start in a row that finds no memory names `memory-limit` or `virtual-memory-limit` as too small. With `load
= "lazy"`, startup-timeout begins with the first request that loads; a load that takes longer ends the process, and
the next one waits for its backoff.

## Replacing processes

The rollout (`wsgigroups/plan/rollout.py`) looks at a group after every event and says which lives begin and which
end: a vacant slot first, then a successor for an outdated process. A ready process leaves only when a ready successor
stands in its slot. At most a quarter more processes than wanted (at least one) exist at a time, those that are still
draining and those that wait in backoff included. A successor that does not come up ends the rollout: the processes in
place stay, and an `apply` returns the group to the configuration they were started with (exit code 8).

It is the same for every cause: maximum-requests, restart-interval, inactivity-timeout, memory-soft-limit,
cpu-time-limit, a script that changed, SIGUSR1, `restart`, `reload`, and request-timeout where a thread is left for
other requests, and SIGTERM to a process. What serves nobody has nothing to wait for: at deadlock-timeout, at
request-timeout with a request of that age in each thread and after damage to its board a process leaves at once, and
its successor begins in the same moment.

Where a successor begins beside the process that it follows, at its first attempt and after a backoff, there has to be
memory for one process more. Where there is not, the one before leaves first.

## When a change is done

A process that is told to leave at once takes what comes to its listeners until it has heard of that, a matter of
milliseconds. When it has let go of them it says so on its board (`listening`), and only then a change that has replaced
it is `done`: whoever connects from then on is served by its successor. What it has accepted it answers to the end, and
a kept connection stays with the process that it is with. One that is stopped, or hangs, says nothing: it is waited for
until it has ended or is killed, at the end of shutdown-timeout, or for @LONGEST@ where that is 0. In a window
(graceful-timeout, eviction-timeout: `reload`, recycling) a process takes requests by intent, and nobody waits for that.
"""


def make_markdown() -> str:
    """Return the text of the page."""
    delays = [f"{delay_s:g}" for delay_s in backoff.DELAYS_S]
    facts = {
        "DIAGRAM": _diagram(),
        "TABLE": _table(),
        "WORDS": _words(),
        "SPAWN": f"{SPAWN_S:g} s",
        "PLACES": f"{EACH_PROCESSOR}",
        "LEAST": f"{AT_LEAST}",
        "SLOW": f"{SLOW_S:g} s",
        "SERVED": f"{SERVED_S:g} s",
        "EXIT": f"{EXIT_S:g} s",
        "LONGEST": f"{STALLED_SHUTDOWN_S + EXIT_S:g} s",
        "KILL": f"{KILL_RETRY_S:g} s",
        "DELAYS": f"{', '.join(delays[:-1])}, then {delays[-1]} s",
        "JITTER": f"{backoff.JITTER * 100:g}",
        "HEALTHY": f"{backoff.HEALTHY_S:g} s",
    }
    text = _PAGE
    for name, fact in facts.items():
        text = text.replace(f"@{name}@", fact)
    return text


def _diagram() -> str:
    """A Mermaid state diagram of every transition."""
    lines = ["stateDiagram-v2", "    [*] --> ABSENT"]
    for state, row in TABLE.items():
        edges: dict[str, list[str]] = {}
        for event, cell in row.items():
            if isinstance(cell, Transition) and (cell.state is not state or cell.action):
                edges.setdefault(cell.state.name, []).append(event.name)
        for target, events in edges.items():
            lines.append(f"    {state.name} --> {target}: {', '.join(events)}")
    return "\n".join(lines)


def _table() -> str:
    """The whole table: `·` ignored, `✗` impossible, else the next state and the action."""
    header = ["state", "deadline", *(event.name for event in EventKind)]
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    for state, row in TABLE.items():
        timer = TIMER[state]
        cells = [state.name, "–" if timer is Timer.NONE else timer.value]
        for event in EventKind:
            cell = row[event]
            if isinstance(cell, Transition):
                cells.append(cell.state.name + (f", {cell.action.value}" if cell.action else ""))
            else:
                cells.append("·" if cell == IGNORE else "✗")
        lines.append(" | ".join(cells))
    return _rows(lines)


def _words() -> str:
    """What people read instead of the states."""
    states: dict[str, list[str]] = {}
    for state, word in PROCESS_STATE.items():
        if word:
            states.setdefault(word, []).append(state.name)
    return _rows(
        ["internal | status", "--- | ---", *(f"{', '.join(names)} | {word}" for word, names in states.items())]
    )


def _rows(lines: list[str]) -> str:
    return "\n".join(f"| {line} |" for line in lines)
