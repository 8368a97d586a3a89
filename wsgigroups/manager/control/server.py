"""Serves the routes with aiohttp on `control.sock`. Checks who calls, by SO_PEERCRED, before anything else.

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.control.answering import always_a_document, answer
from wsgigroups.manager.control.entrance import Entrance
from wsgigroups.manager.control.handlers import Call, Handlers
from wsgigroups.manager.control.library_log import library_logger
from wsgigroups.manager.control.operating import all_operators, operated
from wsgigroups.manager.control.requests import NoParameters, read_body, read_texts
from wsgigroups.manager.control.routes import ROUTES, TEXTS, Access, ControlRoute, TextRoute
from wsgigroups.manager.supervision.sealing import is_shut
from wsgigroups.plan.desired import OperatorsTarget
from wsgigroups.trust.access_lists import let_in
from wsgigroups.trust.peers import groups_of
from wsgigroups.trust.sockets import Inode, TakenPathError, bind_unix, inode_of, unlink_if_same, who_answers
from wsgigroups.trust.walking import trusted_here

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from pathlib import Path

    from wsgigroups.manager.control.auditing import Audit
    from wsgigroups.manager.control.document import Document
    from wsgigroups.manager.control.entrance import Visitor
    from wsgigroups.manager.core.model import GroupState

MAXIMUM_BODY_BYTES = 16 * 1024 * 1024
_BACKLOG = 512  # a connection that finds no room in it fails at once, on a UNIX socket
PARTIAL_S = 5.0  # for a head, for a body, and between two requests of a connection
LINGERING_S = 1.0  # for what still comes of a body that was refused
_LOOK_S = 0.02
UNREAD_S = 30.0  # for an answer that its caller does not take


class ControlServer:
    """The control socket. read_gid: members of this group may read; audit: where it is told who commanded what."""

    def __init__(
        self, path: Path, handlers: Handlers, read_gid: int | None, log: Callable[[str, str], None], audit: Audit
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._read_gid = read_gid
        self._log = log
        self._audit = audit
        self._operators: OperatorsTarget | None = None  # whom the socket's file lets in; None: that is not known
        self._operated: Mapping[str, GroupState] = {}  # the groups that were there at the last look, and who operates
        self._wanted = OperatorsTarget()  # them
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
        gid = -1 if self._read_gid is None else self._read_gid
        sock = bind_unix(str(self._path), trusted_here(), mode=self._mode, gid=gid)
        sock.listen(_BACKLOG)
        self._operators = OperatorsTarget()
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

    @property
    def _mode(self) -> int:
        return 0o600 if self._read_gid is None else 0o660

    def admit(self) -> None:
        """Let those connect who operate some group, and nobody who does not any more. What fails is said once."""
        groups = self._handlers.applying.shell.state.groups
        if groups is not self._operated:
            self._operated, self._wanted = groups, all_operators(groups)
        wanted = self._wanted
        if wanted == self._operators:
            return
        self._operators = wanted
        try:
            let_in(str(self._path), wanted.uids, wanted.gids, self._mode)
        except OSError as error:
            self._log("error", f"operators of groups cannot connect to {self._path}: {error.strerror}")

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
            caller = await self._caller(request, route)
            in_path = read_texts(route.in_path, "path", dict(request.match_info))
            query = read_texts(route.query, "query", _once(request))
            body = read_body(route.body, await _whole(request)) if route.body else NoParameters()
            left = partial(self._is_left, request)
            async with self._audit.of(route, caller.peer, body) as answers:
                answers.append(await handler(replace(caller, path=in_path, query=query, body=body, left=left)))
            if route.changes:
                self.admit()  # who operates a group from now on may connect before the answer says that it is there
            response = answer(answers[-1])
            await send(request, response)
            return response

        return serve

    def _tell(self, route: TextRoute) -> Callable[[web.Request], Awaitable[web.Response]]:
        handler: Callable[..., Awaitable[tuple[bytes, str]]] = getattr(self._handlers, route.handler)

        async def tell(request: web.Request) -> web.Response:
            await self._caller(request, route)
            body, media = await handler(request.headers.get("Accept", ""), **request.match_info)
            response = web.Response(body=body, headers={"Content-Type": media})
            await send(request, response)
            return response

        return tell

    def _is_left(self, request: web.Request) -> bool:
        return self._leaving or _has_left(request)

    async def _caller(self, request: web.Request, route: ControlRoute | TextRoute) -> Call[Any, Any, Any]:
        """Who calls, and about which groups. Raises WsgigroupsError (5) for who may not; the audit log has it."""
        assert self._entrance is not None
        sock = request.get_extra_info("socket")
        visitor = self._entrance.visitor(sock.fileno())
        uid, pid = visitor.peer.uid, visitor.peer.pid
        if visitor.administers:
            return Call(visitor.peer, administers=True)
        asked = self._read_gid is not None or self._operators != OperatorsTarget()
        members = groups_of(sock) if asked else set()  # for nothing, a stranger's calls would cost more
        if route.access is Access.READ and self._read_gid is not None and self._read_gid in members:
            return Call(visitor.peer)
        groups = operated(self._handlers.applying.shell.state.groups, uid, members)
        if groups and not visitor.from_daemon and isinstance(route, ControlRoute) and route.operators:
            return Call(visitor.peer, groups=groups)
        refusal = _refusal(visitor, route.act, groups)
        self._entrance.complain(f"uid {uid} (pid {pid}) may not {route.method} {route.path}")
        await self._audit.refused(route, visitor.peer, refusal)
        raise refusal


def _refusal(visitor: Visitor, what: str, groups: Collection[str]) -> WsgigroupsError:
    uid, pid = visitor.peer.uid, visitor.peer.pid
    text, hint = (
        f"uid {uid} is neither root nor the manager's user",
        "run the command as the user who started the manager",
    )
    if groups and not visitor.from_daemon:
        text = f"uid {uid} may see, start, restart, reload and deploy {', '.join(sorted(groups))}, and nothing else"
    elif visitor.from_daemon and (groups or uid == os.geteuid()):
        text = f"pid {pid} comes from a daemon, and those give no orders"
        hint = "run the command outside of an application"
    return WsgigroupsError(f"cannot {what}: {text}", hint=hint, exit_code=ExitCode.NOT_PERMITTED)


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
