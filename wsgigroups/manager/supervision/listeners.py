"""The manager owns every listening socket: binds it, hands it to daemons, keeps it over restarts, removes its file.

Runs in the manager's only thread. Never sets SO_REUSEPORT (it loses queued connections); never unlinks a path that
is not a socket of ours that nobody answers on; never hands a socket from one user to another: a process that the first
one left behind would take requests of the second.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import Address, parse
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import socket_settings
from wsgigroups.manager.supervision.cgroups.strays import mark_of
from wsgigroups.manager.supervision.sealing import is_shut, seal
from wsgigroups.runtime.wire import pulse
from wsgigroups.trust.sockets import bind_unix, inode_of, remove_stale, unlink_if_same
from wsgigroups.trust.walking import UntrustedPathError, judging_root

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.plan.desired import ListenerTarget


REBINDS = 100  # attempts to be faster than a process that listens again on a socket that was taken from it


@dataclass(slots=True)
class HeldListener:
    """One bound socket. inode: of the UNIX socket file we made, so that only that one is ever removed.

    uid: whose processes inherit it; None: the manager's own. pulse: descriptor of the page on which its processes note
    that they accept (runtime/wire/pulse.py).
    """

    target: ListenerTarget
    sock: socket.socket
    pulse: int
    inode: tuple[int, int] | None = None
    uid: int | None = None


class Listeners:
    """All listening sockets by group and address."""

    def __init__(self) -> None:
        self._by_group: dict[str, dict[str, HeldListener]] = {}

    def marks(self, group: str) -> frozenset[str]:
        """Return what /proc shows of a group's listening sockets, for whoever has them: cgroups.strays."""
        return frozenset(mark_of(listener.sock.fileno()) for listener in self.of(group).values())

    def of(self, group: str) -> dict[str, HeldListener]:
        """The group's listeners by address."""
        return self._by_group.get(group, {})

    def prepare(self, group: str, targets: Iterable[ListenerTarget], uid: int | None = None) -> dict[str, HeldListener]:
        """Bind what is missing, touching nothing in place. Raises WsgigroupsError; then nothing is left open.

        An address that another user's processes have is left for `commit`: it is free only when they lose it.
        """
        opened: dict[str, HeldListener] = {}
        try:
            for target in targets:
                if target.address in self.of(group) or self._foreign(target.address, uid):
                    continue
                opened[target.address] = self._inherit(target) or self._bind(group, target, uid)
        except BaseException:
            self.discard(opened)
            raise
        return opened

    def commit(
        self, group: str, targets: Iterable[ListenerTarget], opened: dict[str, HeldListener], uid: int | None = None
    ) -> list[str]:
        """Take the group's new set into use; return the addresses that are no longer wanted.

        Raises WsgigroupsError when a socket cannot be bound anew that was another user's.
        """
        current = self._by_group.setdefault(group, {})
        current.update(opened)
        wanted = {target.address: target for target in targets}
        for address, target in wanted.items():
            if self._foreign(address, uid):
                self._renew(group, target, uid)
            listener = current[address]
            if listener.target != target or address in opened:
                _tune(group, listener.sock, target, listener.inode)
                listener.target = target
        return [address for address in current if address not in wanted]

    def is_shut(self, group: str, address: str) -> bool:
        """Whether somebody has shut this listener of the group down."""
        return is_shut(self._by_group[group][address].sock)

    def mend(self, group: str) -> list[str]:
        """Bind anew what somebody has shut down; return the addresses. Raises WsgigroupsError."""
        shut = [listener for listener in self.of(group).values() if is_shut(listener.sock)]
        for listener in shut:
            self._renew(group, listener.target, listener.uid)
        return [listener.target.address for listener in shut]

    def discard(self, opened: dict[str, HeldListener]) -> None:
        """Close what `prepare` opened and nobody committed."""
        for listener in opened.values():
            _close(listener, keep_file=self._shared(listener))

    def release(self, group: str, addresses: Iterable[str]) -> None:
        """Close and remove these listeners of a group."""
        current = self._by_group.get(group, {})
        for address in list(addresses):
            listener = current.pop(address, None)
            if listener:
                _close(listener, keep_file=self._shared(listener))
        if not current:
            self._by_group.pop(group, None)

    def adopt(self, group: str, target: ListenerTarget, fd: int, pulse: int, uid: int | None = None) -> None:
        """Take over a socket and its pulse that a spawner kept; one that the group has is let go, but stays bound."""
        former = self.of(group).get(target.address)
        if former:
            _close(former, keep_file=True)
        sock = socket.socket(fileno=fd)
        sock.set_inheritable(False)
        inode = inode_of(parse(target.address).path)
        self._by_group.setdefault(group, {})[target.address] = HeldListener(target, sock, pulse, inode, uid)

    def close_all(self) -> None:
        """Close and remove everything."""
        for group in list(self._by_group):
            self.release(group, list(self._by_group[group]))

    def _inherit(self, target: ListenerTarget) -> HeldListener | None:
        """Share the socket of a group that gives this address up in the same apply (a rename): nothing is lost."""
        for listeners in self._by_group.values():
            listener = listeners.get(target.address)
            if listener:
                # not sock.dup(): that sets the new object's timeout, which makes the open file behind both blocking,
                # and a daemon that drains would wait in accept(2) for ever
                shared = socket.socket(fileno=os.dup(listener.sock.fileno()))
                return HeldListener(target, shared, os.dup(listener.pulse), listener.inode, listener.uid)
        return None

    def _foreign(self, address: str, uid: int | None) -> list[HeldListener]:
        """The sockets of this address that processes of other users have."""
        held = [listeners[address] for listeners in self._by_group.values() if address in listeners]
        return [listener for listener in held if listener.uid != uid]

    def _renew(self, group: str, target: ListenerTarget, uid: int | None) -> None:
        """End every socket of this address and bind another one for this group. Raises WsgigroupsError."""
        held = [listeners[target.address] for listeners in self._by_group.values() if target.address in listeners]
        path = parse(target.address).path
        for attempt in range(REBINDS):
            for listener in held:
                seal(listener.sock)
                if path and listener.inode:
                    unlink_if_same(path, listener.inode, judging_root())
            try:
                renewed = self._bind(group, target, uid)
                break
            except WsgigroupsError:
                # whoever has the old socket may listen on it again in the moment before we do
                if attempt == REBINDS - 1:
                    raise
        former = self.of(group).get(target.address)
        if former:
            _close(former, keep_file=True)
        self._by_group.setdefault(group, {})[target.address] = renewed

    def _shared(self, listener: HeldListener) -> bool:
        address = listener.target.address
        return any(address in listeners for listeners in self._by_group.values())

    def _bind(self, group: str, target: ListenerTarget, uid: int | None) -> HeldListener:
        address = parse(target.address)
        try:
            sock = _bind_unix(address.path, target.owner_uid) if address.path else _bind_tcp(address)
        except OSError as error:
            reason = str(error.doubt) if isinstance(error, UntrustedPathError) else os.strerror(error.errno or 0)
            raise WsgigroupsError(
                f"cannot listen on {target.address} for group {group!r}: {reason}",
                hint=_hint(error, target.address),
            ) from None
        inode = inode_of(address.path)
        try:
            # two sockets can be bound to an address, but only one of them can listen
            _tune(group, sock, target, inode)
        except WsgigroupsError:
            sock.close()
            if address.path:
                unlink_if_same(address.path, inode, judging_root())
            raise
        return HeldListener(target, sock, pulse.create(f"wsgigroups-{group}"), inode, uid)


def _hint(error: OSError, address: str) -> str:
    if isinstance(error, UntrustedPathError):
        return "give the socket a directory that only root can write, for example below /run"
    if error.errno == errno.EADDRINUSE:
        return f"another process, or another group, listens on {address}"
    if error.errno == errno.EACCES:
        return "ports below 1024 and foreign directories need root"
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


def _bind_unix(path: str, owner_uid: int | None) -> socket.socket:
    trusted = judging_root()
    remove_stale(path, trusted)
    return bind_unix(path, trusted, uid=owner_uid if owner_uid is not None and os.geteuid() == 0 else -1)


def _tune(group: str, sock: socket.socket, target: ListenerTarget, inode: tuple[int, int] | None) -> None:
    """Set on a socket what its target says, and make sure that it is in force. Raises WsgigroupsError."""
    try:
        socket_settings.tune(sock, target, inode)
    except OSError as error:
        raise WsgigroupsError(
            f"cannot listen on {target.address} for group {group!r}: {error.strerror}",
            hint=_hint(error, target.address),
        ) from None


def _close(listener: HeldListener, *, keep_file: bool = False) -> None:
    if not keep_file:  # nobody else has a right to it, whoever still has it
        seal(listener.sock)
    path = parse(listener.target.address).path
    if not keep_file and path:
        unlink_if_same(path, listener.inode, judging_root())
    listener.sock.close()
    os.close(listener.pulse)
