"""wsgigroups' server without manager and spawner, for what is measured inside of a process.

Runs in a daemon's interpreter; the programs beside this file import it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence

from wsgigroups.runtime.server import Server
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.board import Board
from wsgigroups.runtime.wire.pulse import Pulse
from wsgigroups.runtime.wire.spec import Serving

BACKLOG = 4096


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback."""
    return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)


def make_server(
    applications: str,
    listener: socket.socket,
    threads: int,
    access_log: Callable[[bytes], None] | None = None,
    slot: int | None = None,
    pulses: Sequence[Pulse] = (),
) -> tuple[Server, Board]:
    """Return a server of the plain application, not started, and its board.

    slot: of one of several processes that share the listener; pulses: by which they know of each other.
    """
    sys.path.insert(0, applications)
    from plain import application  # type: ignore[import-not-found]

    settings = Serving(threads=threads, listen_backlog=BACKLOG, multiprocess=slot is not None)
    page = board.private(threads)
    server = Server(
        settings=settings,
        listeners=[listener],
        pulses=pulses,
        application=application,
        board=page,
        log=lambda _level, _text: None,
        access_log=access_log,
        identity=f"bench/{slot or 0}",
    )
    return server, page
