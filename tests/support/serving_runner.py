"""Runs a Server in a process of its own: `python -m support.serving_runner '<json>'`, or `main` in a child.

It binds nothing: listening sockets come as descriptors. JSON: fds, application ("module:name"), settings
(fields of Serving), ready_fd (a line is written there); optional: path (additions to sys.path), board_fd, access_fd,
pulses (a descriptor for each of fds), slot, records_per_s (lines of a level a second in the log). SIGTERM stops
accepting, waits until idle, ends.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys


def main(text: str) -> int:
    """Serve until SIGTERM; exit code 0 when everything was answered."""
    options = json.loads(text)
    sys.path[:0] = options.get("path", [])
    from wsgigroups.runtime import log as logs
    from wsgigroups.runtime.server import Server
    from wsgigroups.runtime.wire.board import Board, private
    from wsgigroups.runtime.wire.pulse import Pulse
    from wsgigroups.runtime.wire.spec import Serving

    logs.RECORDS_PER_S = options.get("records_per_s", logs.RECORDS_PER_S)
    module, _, name = options["application"].partition(":")
    application = getattr(importlib.import_module(module), name or "application")
    settings = Serving().tuned(options.get("settings", {}))

    def log(level: str, text: str) -> None:
        os.write(2, f"{level}: {text}\n".encode("utf-8", "backslashreplace"))

    board_fd = options.get("board_fd")
    access_fd = options.get("access_fd")
    server = Server(
        settings=settings,
        listeners=[socket.socket(fileno=fd) for fd in options["fds"]],
        pulses=[Pulse(fd) for fd in options.get("pulses", ())],
        application=application,
        board=private(settings.threads) if board_fd is None else Board(board_fd),
        log=log,
        access_log=None if access_fd is None else lambda line: os.write(access_fd, line) and None,
        identity=f"test/{options.get('slot', 1)}",
    )
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    os.register_at_fork(after_in_child=server.forget_in_child)
    server.start()
    os.write(options["ready_fd"], b"ready\n")
    os.read(wake_read, 1)
    server.stop_accepting()
    idle = server.wait_idle(10.0)
    server.close()
    return 0 if idle else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
