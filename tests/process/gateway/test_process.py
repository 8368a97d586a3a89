"""A gateway as a process of its own: forked by a spawner, told its routes on the channel, in an empty root."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.gateway import answering, routes_to
from support.processes import HUNG_S, Life, Manager

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.board import STATE
from wsgigroups.runtime.wire.routes import REFUSED, Link, ListenerRoute, Routes, StaticRoute

pytestmark = pytest.mark.root

LISTEN = "127.0.0.1:0"  # as specs name it


def tell(life: Life, routes: Routes, number: int, directories: Sequence[int] = ()) -> None:
    """Send routes to a gateway, the first of its directories ahead of them."""
    routes = replace(routes, listeners=(ListenerRoute(LISTEN, ("localhost",)),))
    fd = os.memfd_create("routes")
    try:
        os.write(fd, routes.to_text().encode())
        if directories:
            life.channel.send(messages.RouteFiles(life.number).to_frame(), directories[:1])
        message = messages.Route(life.number, directories=len(directories), number=number)
        life.channel.send(message.to_frame(), [fd, *directories[1:]])
    finally:
        os.close(fd)


def wait_tuned(life: Life, number: int) -> None:
    """Wait until the board says so."""
    for _ in range(int(HUNG_S / 0.01)):
        if life.snapshot()["tuned"] == number:
            return
        select.select([], [], [], 0.01)
    raise AssertionError(f"tuned is {life.snapshot()['tuned']}\n{life.log}")


def test_a_gateway_takes_routes_serves_in_an_empty_root_and_may_not_fork(
    spawning_manager: Manager, workspace: Path
) -> None:
    root, files = workspace / "root", workspace / "files"
    (root / "sockets").mkdir(parents=True)
    files.mkdir()
    (files / "page.txt").write_text("a file")
    (files / "page.txt").chmod(0o644)
    directory = os.open(files, os.O_RDONLY | os.O_DIRECTORY)
    path = root / "sockets" / "app.sock"
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))
        daemon.listen(8)
        path.chmod(0o666)
        life = spawning_manager.fork(
            group="@gateway", gateway=True, chroot=str(root), home=None, environment={}, serving={"threads": 1}
        )
        tell(life, routes_to(Link("sockets/app.sock"), statics=(StaticRoute("/static", 0),)), 7, [directory])
        os.close(directory)
        life.ready()
        wait_tuned(life, 7)
        assert life.snapshot()["state"] == STATE["ready"]
        assert life.get("/static/page.txt") == (200, b"a file")
        status = Path(f"/proc/{life.pid}/limits").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("Max processes")]
        assert line.split()[2:4] == ["0", "0"]
        assert os.readlink(f"/proc/{life.pid}/root") == str(root)

        tell(life, replace(routes_to(Link("sockets/app.sock")), links={}), 8)
        wait_tuned(life, REFUSED)
        assert life.get("/static/page.txt")[0] == 200  # nothing has changed

        def answer() -> None:
            accepted, _address = daemon.accept()
            with accepted:
                answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nlinked")(accepted)

        thread = threading.Thread(target=answer)
        thread.start()
        assert life.get("/static/page.txt")[0] == 200
        tell(life, routes_to(Link("sockets/app.sock")), 9)
        wait_tuned(life, 9)
        assert life.get("/static/page.txt") == (200, b"linked")
        thread.join(HUNG_S)
        exited = spawning_manager.drain(life)
        assert (exited.exit_code, exited.signal) == (0, 0), life.log


def test_a_gateway_whose_first_routes_cannot_be_used_does_not_come_up(
    spawning_manager: Manager, workspace: Path
) -> None:
    life = spawning_manager.fork(group="@gateway", gateway=True, home=None, serving={"threads": 1})
    tell(life, replace(routes_to(Link("sockets/app.sock")), links={}), 1)
    assert "no link to the group app" in life.failed().message


def test_what_a_gateway_is_told_before_its_first_routes_is_obeyed_after_them(spawning_manager: Manager) -> None:
    life = spawning_manager.fork(group="@gateway", gateway=True, home=None, serving={"threads": 1})
    life.send(messages.Drain(life.number, "test"))
    tell(life, routes_to(Link("sockets/app.sock")), 1)
    life.ready()
    assert spawning_manager.wait_exited(life).exit_code == 0, life.log
