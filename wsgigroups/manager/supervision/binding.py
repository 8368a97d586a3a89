"""Binding a group's listening socket, and saying why it cannot be.

Runs in the manager's only thread. Never sets SO_REUSEPORT (it loses queued connections); never unlinks a path that is
not a socket of ours that nobody answers on.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import Address, parse
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import socket_settings
from wsgigroups.trust.sockets import (
    TakenPathError,
    bind_unix,
    bind_unix_held,
    inode_of_file,
    remove_stale,
    unlink_if_same,
)
from wsgigroups.trust.walking import UntrustedPathError, judging_root

if TYPE_CHECKING:
    from wsgigroups.plan.desired import ListenerTarget

OWN_BACKLOG = 128


def bind(group: str, target: ListenerTarget) -> tuple[socket.socket, int]:
    """Return a socket that listens, and an O_PATH descriptor of its file, -1 for TCP. Raises WsgigroupsError."""
    address = parse(target.address)
    file = -1
    try:
        if address.path:
            sock, file = _bind_unix(address.path, target)
        else:
            sock = _bind_tcp(address)
        try:
            # two sockets can be bound to an address, but only one of them can listen
            socket_settings.tune(sock, target, inode_of_file(file))
        except BaseException:
            sock.close()
            if address.path:
                unlink_if_same(address.path, inode_of_file(file), judging_root())
                os.close(file)
            raise
    except OSError as error:
        raise WsgigroupsError(
            f"cannot listen on {target.address} for group {group!r}: {_reason(error)}",
            hint=_hint(error, address),
        ) from None
    return sock, file


def bind_own(option: str, text: str) -> socket.socket:
    """Return a socket of the manager's own that listens at an address; its file is open to everybody.

    Raises WsgigroupsError.
    """
    address = parse(text)
    try:
        if address.path:
            judges = judging_root()
            remove_stale(address.path, judges)
            sock = bind_unix(address.path, judges, mode=0o666)
        else:
            sock = _bind_tcp(address)
        sock.listen(OWN_BACKLOG)
    except OSError as error:
        raise WsgigroupsError(
            f"cannot listen on {text} for {option}: {_reason(error)}", hint=_hint(error, address)
        ) from None
    return sock


def _reason(error: OSError) -> str:
    if isinstance(error, UntrustedPathError):
        return str(error.doubt)
    return str(error.strerror)


def _hint(error: OSError, address: Address) -> str:
    if isinstance(error, UntrustedPathError):
        return "give the socket a directory that only root can write, for example below /run"
    if isinstance(error, TakenPathError):
        return error.hint
    if error.errno == errno.EADDRINUSE:
        return f"another process, or another group, listens on {address}"
    if address.path:
        directory = os.path.dirname(address.path)
        if error.errno == errno.ENOENT:
            return f"make the directory {directory}"
        if error.errno == errno.ENOTDIR:
            return f"{directory} is no directory"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return f"the manager must be able to make a file in {directory}"
    if error.errno == errno.EACCES:
        return "ports below 1024 need root"
    if error.errno == errno.EADDRNOTAVAIL:
        return "no interface of this machine has that address"
    return "check the address"


def _bind_tcp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in (address.host or "") else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address.host, address.port))
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_unix(path: str, target: ListenerTarget) -> tuple[socket.socket, int]:
    trusted = judging_root()
    remove_stale(path, trusted, target.owner_uid)
    owner = target.owner_uid if target.owner_uid is not None and os.geteuid() == 0 else -1
    return bind_unix_held(path, trusted, uid=owner)
