"""Serves the routes with aiohttp on `control.sock`. Checks who calls, by SO_PEERCRED, before anything else.

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.control.answering import always_a_document, answer
from wsgigroups.manager.control.entrance import Entrance
from wsgigroups.manager.control.handlers import Call, Handlers
from wsgigroups.manager.control.library_log import library_logger
from wsgigroups.manager.control.requests import NoParameters, read_body, read_texts
from wsgigroups.manager.control.routes import ROUTES, TEXTS, Access, ControlRoute, TextRoute
from wsgigroups.manager.supervision.sealing import is_shut
from wsgigroups.trust.peers import Peer, groups_of
from wsgigroups.trust.sockets import Inode, TakenPathError, bind_unix, inode_of, unlink_if_same, who_answers
from wsgigroups.trust.walking import trusted_here

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from wsgigroups.manager.control.documents import Document

MAXIMUM_BODY_BYTES = 16 * 1024 * 1024
_BACKLOG = 512  # a connection that finds no room in it fails at once, on a UNIX socket
PARTIAL_S = 5.0  # for a head, for a body, and between two requests of a connection
LINGERING_S = 1.0  # for what still comes of a body that was refused
_LOOK_S = 0.02
UNREAD_S = 30.0  # for an answer that its caller does not take


class ControlServer:
    """The control socket. read_gid: members of this group may read."""

    def __init__(self, path: Path, handlers: Handlers, read_gid: int | None, log: Callable[[str, str], None]) -> None:
        self._path = path
        self._handlers = handlers
        self._read_gid = read_gid
        self._log = log
        self._runner: web.AppRunner | None = None
        self._inode: Inode | None = None
        self._entrance: Entrance | None = None
        self._leaving = False

    async def start(self, listener: socket.socket | None = None) -> None:
        """Bind and serve. The run directory's lock is held, so whatever lies at the path is a leftover.

        listener: one that is bound there already, and whose queue is served.
        """
        self._leaving = False
        app = web.Application(client_max_size=MAXIMUM_BODY_BYTES, middlewares=[always_a_document(self._log)])
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._serve(route))
        for text in TEXTS:
            app.router.add_route(text.method, text.path, self._tell(text))
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=library_logger(self._log),
            handle_signals=False,
            shutdown_timeout=1.0,
            keepalive_timeout=PARTIAL_S,
            lingering_time=LINGERING_S,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        if listener is None or not self._is_ours(listener):
            listener = self._listener()
        self._entrance = Entrance(listener, self._runner.server, self._log)
        self._entrance.open()

    @property
    def lost(self) -> bool:
        """Whether the socket's file is gone, or is another one."""
        return inode_of(str(self._path)) != self._inode

    def listen_again(self) -> None:
        """Serve at the path again; calls under way go on. Raises OSError."""
        if self._entrance:
            self._entrance.move(self._listener())

    def _listener(self) -> socket.socket:
        refuse_foreign(self._path)
        self._path.unlink(missing_ok=True)
        if self._read_gid is None:
            sock = bind_unix(str(self._path), trusted_here())
        else:
            sock = bind_unix(str(self._path), trusted_here(), mode=0o660, gid=self._read_gid)
        sock.listen(_BACKLOG)
        self._inode = inode_of(str(self._path))
        return sock

    def _is_ours(self, listener: socket.socket) -> bool:
        """Whether a listener is the one whose file lies at the path; closed when not."""
        try:
            bound = listener.getsockname() == str(self._path) and not is_shut(listener)
        except OSError:
            bound = False
        self._inode = inode_of(str(self._path))
        if not bound or self._inode is None:
            listener.close()
            return False
        return True

    def hold_back(self) -> None:
        """Let nobody in any more, and have those who wait for something hear at once what there is."""
        self._leaving = True
        if self._entrance:
            self._entrance.hold_back()

    async def let_go(self) -> socket.socket:
        """End the calls that are under way; return the listener, at which whoever comes waits."""
        assert self._entrance is not None
        assert self._runner is not None
        listener = await self._entrance.let_go()
        await self._runner.cleanup()
        await asyncio.sleep(0)  # transports close their sockets in the next turn of the loop
        self._entrance.close()
        return listener

    async def stop(self) -> None:
        """Stop serving and remove the socket."""
        if self._entrance:
            await self._entrance.shut()
        if self._runner:
            await self._runner.cleanup()
            await asyncio.sleep(0)  # transports close their sockets in the next turn of the loop
        if self._entrance:
            self._entrance.close()
        unlink_if_same(str(self._path), self._inode, trusted_here())

    def _serve(self, route: ControlRoute) -> Callable[[web.Request], Awaitable[web.Response]]:
        handler: Callable[[Call[Any, Any, Any]], Awaitable[Document]] = getattr(self._handlers, route.handler)

        async def serve(request: web.Request) -> web.Response:
            peer = self._peer(request, route)
            in_path = read_texts(route.in_path, "path", dict(request.match_info))
            query = read_texts(route.query, "query", _once(request))
            body = read_body(route.body, await _whole(request)) if route.body else NoParameters()
            response = answer(
                await handler(Call(peer, in_path, query, body, lambda: self._leaving or _has_left(request)))
            )
            await send(request, response)
            return response

        return serve

    def _tell(self, route: TextRoute) -> Callable[[web.Request], Awaitable[web.Response]]:
        handler: Callable[..., Awaitable[tuple[bytes, str]]] = getattr(self._handlers, route.handler)

        async def tell(request: web.Request) -> web.Response:
            self._peer(request, route)
            body, media = await handler(request.headers.get("Accept", ""), **request.match_info)
            response = web.Response(body=body, headers={"Content-Type": media})
            await send(request, response)
            return response

        return tell

    def _peer(self, request: web.Request, route: ControlRoute | TextRoute) -> Peer:
        assert self._entrance is not None
        sock = request.get_extra_info("socket")
        visitor = self._entrance.visitor(sock.fileno())
        uid, pid = visitor.peer.uid, visitor.peer.pid
        if visitor.administers:
            return visitor.peer
        if route.access is Access.READ and self._read_gid is not None and self._read_gid in groups_of(sock):
            return visitor.peer
        self._entrance.complain(f"uid {uid} (pid {pid}) may not {route.method} {route.path}")
        if visitor.from_daemon:
            raise WsgigroupsError(
                f"cannot {route.handler}: pid {pid} comes from a daemon, and those give no orders",
                hint="run the command outside of an application",
                exit_code=ExitCode.NOT_PERMITTED,
            )
        raise WsgigroupsError(
            f"cannot {route.handler}: uid {uid} is neither root nor the manager's user",
            hint="run the command as the user who started the manager",
            exit_code=ExitCode.NOT_PERMITTED,
        )


def refuse_foreign(path: Path, patience_s: float = 0.0) -> None:
    """Leave alone a socket on which somebody answers. Raises TakenPathError.

    The lock of the run directory is held, so that it is no manager's. patience_s: how long to wait, blocking, for a
    child that a manager which was killed was just starting: until it executes it has the socket.
    """
    until = time.monotonic() + patience_s
    while who := who_answers(str(path)):
        if time.monotonic() > until:
            raise TakenPathError(str(path), who, "it is left alone; end it, or choose another --run-dir")
        time.sleep(_LOOK_S)


async def _whole(request: web.Request) -> bytes:
    """Read a body. Raises WsgigroupsError (usage) for one that does not come to its end in time."""
    try:
        return await asyncio.wait_for(request.read(), PARTIAL_S)
    except asyncio.TimeoutError:
        raise WsgigroupsError(
            f"cannot use this request: body: it did not come to its end within {PARTIAL_S:g} s",
            exit_code=ExitCode.USAGE,
        ) from None


async def send(request: web.Request, response: web.Response) -> None:
    """Send a response; a caller who does not take it loses the connection, and holds nothing here."""
    try:
        await response.prepare(request)
        await asyncio.wait_for(response.write_eof(), UNREAD_S)
    except asyncio.TimeoutError:
        if isinstance(request.transport, asyncio.Transport):
            request.transport.abort()
        raise ConnectionResetError("the caller does not read") from None


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _once(request: web.Request) -> dict[str, str]:
    """The query's values by name. Raises WsgigroupsError (usage) for a name that stands there twice."""
    values = dict(request.query)
    if len(values) != len(request.query):
        twice = next(name for name in values if len(request.query.getall(name)) > 1)
        raise WsgigroupsError(f"cannot use this request: query.{twice}: given twice", exit_code=ExitCode.USAGE)
    return values
