"""Telling a gateway's processes their routes: a sealed file, and the descriptors of all that it may open.

Runs in the manager's only thread. The process names no file of the host: directories and logs are opened here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.engines.supervised import supervised_conf
from wsgigroups.plan.routing import NginxTarget, numbered
from wsgigroups.runtime.wire import board, messages
from wsgigroups.runtime.wire.frames import MAXIMUM_FDS, FrameError
from wsgigroups.runtime.wire.routes import REFUSED, Challenges, as_of_now, site_keys
from wsgigroups.trust.public_directories import open_public_directory

if TYPE_CHECKING:
    from wsgigroups.manager.supervision.logs import Logs
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.desired import GroupTarget
    from wsgigroups.plan.routing import RoutingTarget

_TICKET_KEYS_BYTES = 80
UNUSABLE = "it cannot use its new routes, and goes by those that it had; its log says why"


def new_ticket_keys() -> str:
    """Return keys of TLS session tickets that nobody has had."""
    return secrets.token_hex(_TICKET_KEYS_BYTES)


@dataclass(slots=True)
class Published:
    """What gateways are told beside the routes, for the time being. No target has it: no plan sees anything of it."""

    challenges: Challenges = field(default_factory=Challenges)  # what a certificate authority will look for
    stopped: frozenset[str] = frozenset()  # groups that are to have no process
    ticket_keys: str = field(default_factory=new_ticket_keys, repr=False)  # runtime/gateway/tickets.py


def tell(process: Process, target: GroupTarget, logs: Logs, published: Published) -> str:
    """Send the routes of a target; return why that cannot be, or "". Nothing was sent then."""
    if target.routing is None or process.pid <= 0:
        return ""  # what is on its way up is sent them behind its spec
    try:
        send(process, target, logs, published)
    except (OSError, FrameError) as error:
        return f"the routes cannot be told: {getattr(error, 'strerror', None) or error}"
    return ""


def send(process: Process, target: GroupTarget, logs: Logs, published: Published) -> None:
    """Send the routes of a target, if it is a gateway's, and what is published beside them.

    Raises OSError, its strerror whole, and FrameError.
    """
    routing = target.routing
    if routing is None:
        return
    if process.info.get("nginx"):  # reads a file anew for whatever is told, and has no use for the rest
        whole = as_of_now(routing.text, published.challenges)
    else:
        keys = published.ticket_keys if routing.certificates else ""
        whole = as_of_now(routing.text, published.challenges, published.stopped, keys)
    # another text has another number: a manager that follows sees that these are not the routes alone
    number = routing.number
    if whole is not routing.text:
        number = numbered(whole, routing.directories, routing.access_logs, routing.nginx)
    told = _for_nginx(process, target, whole, number) if process.info.get("nginx") else whole
    with contextlib.ExitStack() as opened:
        fds = _files(process, target, routing, logs, opened)
        page = process.site_pages.make(site_keys(routing.text))
        text = board.create_sealed_text("wsgigroups-routes", told.encode())
        opened.callback(os.close, text)
        behind = len(fds) % (MAXIMUM_FDS - 1)  # go with the routes themselves, which are one more
        ahead, rest = fds[: len(fds) - behind], fds[len(fds) - behind :]
        for begin in range(0, len(ahead), MAXIMUM_FDS - 1):
            process.send(messages.RouteFiles(process.life), ahead[begin : begin + MAXIMUM_FDS - 1])
        process.send(messages.SiteCounts(process.life), [page])
        directories, access_logs = len(routing.directories), len(routing.access_logs)
        process.send(messages.Route(process.life, directories, access_logs, number), [text, *rest])
    process.told = number


def engine_of(target: GroupTarget) -> dict[str, Any]:
    """What is kept with a process of a gateway about its engine, which is not that of another target."""
    routing = target.routing
    if routing is None or routing.nginx is None:
        return {}
    return {"nginx": {"listen": list(target.spec.listen), "http2": routing.nginx.http2}}


def _for_nginx(process: Process, target: GroupTarget, text: str, number: int) -> str:
    """Return the file for a process that keeps nginx. Raises OSError, its strerror the reason.

    One that will be replaced, since the target has other addresses, another program or another engine, goes by the new
    routes until then: on its own addresses, as its own program reads them.
    """
    engine, routing, serving = process.info["nginx"], target.routing, target.spec.serving
    assert routing is not None
    nginx = routing.nginx or NginxTarget(
        http2=engine["http2"],
        compression=True,
        trusted_proxies=serving.trusted_proxies,
        body_bytes=(),
        line_bytes=max(serving.limit_request_line, serving.limit_request_field_size),
    )
    if process.info["fingerprint"] != target.fingerprint and nginx.http2:
        nginx = replace(nginx, http2=engine["http2"])
    try:
        return supervised_conf(routing, nginx, text, number, tuple(engine["listen"]))
    except WsgigroupsError as error:
        raise OSError(errno.EINVAL, error.message) from None


def refuses(process: Process) -> bool:
    """Whether a process says that it cannot go by the routes that it was told last."""
    snapshot = None if process.exited else process.snapshot()
    return snapshot is not None and snapshot["tuned"] == REFUSED


def goes_by(process: Process, target: GroupTarget) -> bool:
    """Whether a process says that it goes by the routes of a target, and counts where this manager reads it."""
    snapshot = process.snapshot()
    if target.routing is None:
        return True
    return snapshot is not None and snapshot["tuned"] == target.routing.number and bool(process.site_pages)


def _files(
    process: Process, target: GroupTarget, routing: RoutingTarget, logs: Logs, opened: contextlib.ExitStack
) -> list[int]:
    """Open directories and access logs, in this order. Raises OSError, its strerror with the path."""

    def who() -> str:
        return f"{process.group}/{process.info['slot']} pid={process.pid}"

    fds = []
    for what, paths in (
        ("directory", [item.path for item in routing.directories]),
        ("access log", routing.access_logs),
    ):
        for path in paths:
            try:
                if what == "directory":
                    fd = open_public_directory(path, root=os.geteuid() == 0)
                else:
                    fd = logs.lines(path, who(), tenant=target.spec.identity is not None)
            except OSError as error:
                raise OSError(error.errno, f"the {what} {path}: {error.strerror}") from None
            opened.callback(os.close, fd)
            fds.append(fd)
    return fds
