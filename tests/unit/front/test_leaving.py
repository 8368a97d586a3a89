"""A process that leaves: what had come is its own, and its board says when nothing else will be."""

from __future__ import annotations

import socket

from support.driven import Driven

from wsgigroups.runtime.wire.board import LISTENING


def test_the_board_says_so_when_what_had_come_is_accepted(driven: Driven) -> None:
    with socket.create_connection(driven.listener.getsockname(), timeout=20):
        driven.poller.stop()
        assert driven.word("listening") != LISTENING["no"]
        driven.poller.wait()
        assert driven.word("listening") == LISTENING["no"]
        assert len(driven.connections) == 1
        assert not driven.server.listening.watching
