"""wsgigroups' server alone in a process, without manager and spawner, for what is measured inside of one.

Runs in a daemon's interpreter; the programs beside this file import it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

from wsgigroups.runtime.server import Server
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.board import Board
from wsgigroups.runtime.wire.spec import Serving

BACKLOG = 4096


def make_server(
    applications: str, port: str, threads: str, access_log: Callable[[bytes], None] | None = None
) -> tuple[Server, Board]:
    """Return a server of the plain application, not started, and its board."""
    sys.path.insert(0, applications)
    from plain import application  # type: ignore[import-not-found]

    settings = Serving(threads=int(threads), listen_backlog=BACKLOG)
    page = board.private(settings.threads)
    server = Server(
        settings=settings,
        listeners=[socket.create_server(("127.0.0.1", int(port)), backlog=BACKLOG)],
        application=application,
        board=page,
        log=lambda _level, _text: None,
        access_log=access_log,
    )
    return server, page
