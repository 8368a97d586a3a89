"""One group as a document: the options that are not the defaults, and what its threads do. Decides nothing.

Runs in the manager's only thread. What threads do is read from the boards: no process is asked, and nothing is written
to any log, so that somebody may look all the time, also at a process that hangs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle.status import PROCESS_STATE
from wsgigroups.manager.control.closer_documents import BusyThreadDocument, GroupDetailsDocument, ThreadsDocument
from wsgigroups.manager.control.showing_deaths import frame_document
from wsgigroups.manager.supervision.dying import requests_of
from wsgigroups.runtime.wire.board import MAXIMUM_THREADS
from wsgigroups.runtime.wire.in_flight import in_flight
from wsgigroups.targets.environment import ALWAYS
from wsgigroups.targets.unusual import VARIABLE, unusual

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.supervision.shell import Shell


def document(shell: Shell, name: str) -> GroupDetailsDocument:
    """Return the group, which is there."""
    group = shell.state.groups[name]
    options = group.target.options
    return GroupDetailsDocument(
        name=name,
        options=unusual(options),
        variables=sorted({key.removeprefix(VARIABLE) for key in options if key.startswith(VARIABLE)} - ALWAYS),
        application=options.get("application", ""),
        home=options.get("home", ""),
        python_home=options.get("python-home", ""),
        processes=[
            found
            for record in sorted(group.records, key=lambda record: (record.slot, record.life))
            if (found := _threads(shell, record))
        ],
    )


def _threads(shell: Shell, record: Record) -> ThreadsDocument | None:
    state, process = PROCESS_STATE[record.state], shell.processes.get(record.life)
    if state is None or process is None or process.closed or not process.pid:
        return None
    threads = int(process.info["threads"])
    busy = requests_of(in_flight(process.board_fd, threads, MAXIMUM_THREADS), MAXIMUM_THREADS)
    return ThreadsDocument(
        slot=record.slot,
        life=record.life,
        pid=process.pid,
        state=state,
        threads=threads,
        busy=[
            BusyThreadDocument(
                thread=request.thread,
                asked=request.asked,
                age_s=request.age_s,
                frame=frame_document(request.frame) if request.frame else None,
            )
            for request, _ident in busy
        ],
    )
