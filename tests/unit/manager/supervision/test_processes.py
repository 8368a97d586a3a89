"""What one process is sent, and in which order."""

from __future__ import annotations

import asyncio
import os
import socket

from wsgigroups.manager.supervision.processes import Hooks, Process
from wsgigroups.runtime.wire import board, frames, messages

INFO = {"group": "blog", "slot": 1, "threads": 1, "spawner": "k"}


def test_what_is_said_before_the_spec_has_gone_comes_after_it() -> None:
    """A change of live options in the moment in which a process is forked: it ended with exit code 200."""

    async def story() -> list[str]:
        ours, theirs = socket.socketpair()
        hooks = Hooks(lambda _process, _message: True, lambda _process, _why: None, lambda _process, _status: None)
        process = Process(7, INFO, ours, -1, board.create(1, "wsgigroups-test"), hooks)
        process.expect_spec()
        process.send(messages.Tune(7, title="first"))
        process.send(messages.Reopen(7), [process.board_fd])  # the spec brings a log that is as new
        process.hold(messages.SpecMessage({}), [process.board_fd])
        process.send(messages.Tune(7, title="second"))
        process.begin()
        process.send(messages.Drain(7, "test"))
        with theirs:
            found, channel = [], frames.Channel(theirs)
            for _each in range(4):
                body, fds = channel.receive()
                found.append(f"{body['type']} {body.get('title', '')}".strip())
                for fd in fds:
                    os.close(fd)
        process.close()
        return found

    assert asyncio.run(story()) == ["spec", "tune first", "tune second", "drain"]
