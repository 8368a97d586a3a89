"""The manager owns every listening socket: binds it, hands it to daemons, keeps it over restarts, removes its file.

Runs in the manager's only thread. Never hands a socket from one user to another: a process that the first one left
behind would take requests of the second. How a socket is bound: binding.py.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import binding, socket_settings
from wsgigroups.manager.supervision.cgroups.strays import mark_of
from wsgigroups.manager.supervision.passed import PassedSockets, address_of, name_of
from wsgigroups.manager.supervision.sealing import is_shut, seal
from wsgigroups.runtime.wire import pulse
from wsgigroups.trust.sockets import (
    Inode,
    inode_of,
    inode_of_file,
    nobody_may_connect,
    open_socket_file,
    unlink_if_same,
)
from wsgigroups.trust.walking import judging_root

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from wsgigroups.plan.desired import ListenerTarget


def _directory(address: str) -> str:
    return os.path.dirname(parse(address).path or "") or "/"


REBINDS = 100  # attempts to be faster than a process that listens again on a socket that was taken from it


@dataclass(slots=True)
class HeldListener:
    """One bound socket.

    file: O_PATH descriptor of the UNIX socket file we made, so that only that one is ever removed and no other one is
    taken for it; -1: there is none. uid: whose processes inherit it; None: the manager's own. pulse: descriptor of the
    page on which its processes note that they accept (runtime/wire/pulse.py).
    """

    target: ListenerTarget
    sock: socket.socket
    pulse: int
    file: int = -1
    uid: int | None = None

    @property
    def inode(self) -> Inode | None:
        """Device and number of its file; None: it has none, or that one was removed."""
        return inode_of_file(self.file)

    @property
    def lost(self) -> bool:
        """Whether its file is gone, or is another one: nobody can connect any more."""
        if not self.target.address.startswith("unix:"):
            return False
        path = parse(self.target.address).path
        return self.inode is None or inode_of(path) != self.inode


class Listeners:
    """All listening sockets by group and address."""

    def __init__(self) -> None:
        self._by_group: dict[str, dict[str, HeldListener]] = {}
        self._groups_of: dict[str, dict[str, None]] = {}  # by address, in the order in which they took it
        self.passed = PassedSockets()

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
                opened[target.address] = self._inherit(target) or self._take(group, target, uid)
        except BaseException:
            self.discard(opened)
            raise
        return opened

    def commit(
        self, group: str, targets: Iterable[ListenerTarget], opened: dict[str, HeldListener], uid: int | None = None
    ) -> list[str]:
        """Take the group's new set into use; return the addresses that are no longer wanted.

        Raises WsgigroupsError when a socket cannot be bound anew that was another user's, or its file not given away.
        """
        current = self._by_group.setdefault(group, {})
        for address, listener in opened.items():
            self._hold(group, address, listener)
        wanted = {target.address: target for target in targets}
        for address, target in wanted.items():
            if self._foreign(address, uid):
                self._renew(group, target, uid)
            listener = current[address]
            if listener.target != target or address in opened:
                _settle(group, listener, target, given=self.passed.owns(listener.sock))
        return [address for address in current if address not in wanted]

    def is_shut(self, group: str, address: str) -> bool:
        """Whether somebody has shut this listener of the group down."""
        return is_shut(self._by_group[group][address].sock)

    def mend(self, group: str, addresses: Container[str]) -> list[str]:
        """Bind anew what somebody has shut down; return the addresses. Raises WsgigroupsError.

        addresses: those that the group is to have. Others that it still holds may be another group's by now.
        """
        shut = [held for address, held in self.of(group).items() if address in addresses and is_shut(held.sock)]
        for listener in shut:
            self._renew(group, listener.target, listener.uid)
        return [listener.target.address for listener in shut]

    def has_alone(self, group: str) -> bool:
        """Whether nobody but this group has a use for its listeners: neither another group nor the service manager."""
        return all(
            len(self._groups_of[address]) == 1
            and not self.passed.owns(listener.sock)
            and name_of(listener) not in self.passed.names
            for address, listener in self.of(group).items()
        )

    def lost(self, group: str) -> list[str]:
        """Addresses of the group whose socket files are gone, or are other ones."""
        return [address for address, listener in self.of(group).items() if listener.lost]

    def directories(self, group: str) -> set[str]:
        """Where the socket files of the group are."""
        return {_directory(address) for address in self.of(group) if address.startswith("unix:")}

    def bind_again(self, group: str, address: str) -> None:
        """Bind a socket in the place of one whose file is lost. Raises WsgigroupsError.

        The former one is not ended: whoever had connected to it is still served by the processes that have it.
        """
        former = self._by_group[group][address]
        if self.passed.owns(former.sock):
            raise _not_ours(group, address, "the file of its socket is gone, or is another one")
        self._by_group[group][address] = self._bind(group, former.target, former.uid)
        _close(former, keep_file=True)

    def unreachable(self, group: str, addresses: Iterable[str]) -> dict[str, str]:
        """Those of the addresses at which nobody can connect now, each with the reason."""
        held = self.of(group)
        found = {}
        for address in addresses:
            listener = held.get(address)
            if listener is None:
                found[address] = "it is not bound"
            elif listener.lost:
                found[address] = "the file of its socket is gone, or is another one"
            elif is_shut(listener.sock):
                found[address] = "somebody has shut it down"
            elif nobody_may_connect(listener.file):
                found[address] = "the mode of its file lets nobody connect: chmod 600 it"
        return found

    def by_name(self) -> dict[str, HeldListener]:
        """All listeners by the names that a service manager keeps them by."""
        return {name_of(held): held for listeners in self._by_group.values() for held in listeners.values()}

    def discard(self, opened: dict[str, HeldListener]) -> None:
        """Close what `prepare` opened and nobody committed."""
        for listener in opened.values():
            _close(listener, keep_file=self._shared(listener) or self.passed.owns(listener.sock))

    def release(self, group: str, addresses: Iterable[str], *, ending: bool = False) -> None:
        """Close and remove these listeners of a group. ending: those that the service manager keeps stay bound."""
        current = self._by_group.get(group, {})
        for address in list(addresses):
            listener = current.pop(address, None)
            if listener:
                self._groups_of[address].pop(group, None)
                if not self._groups_of[address]:
                    del self._groups_of[address]
                kept = ending and name_of(listener) in self.passed.names
                _close(listener, keep_file=kept or self._shared(listener) or self.passed.owns(listener.sock))
        if not current:
            self._by_group.pop(group, None)

    def adopt(
        self,
        group: str,
        target: ListenerTarget,
        fd: int,
        pulse: int,
        uid: int | None = None,
        inode: Inode | None = None,
    ) -> None:
        """Take over a socket and its pulse that a spawner kept; one that the group has is let go, but stays bound.

        inode: of its file when it was kept; what is at its path now may be somebody else's. None: it is not known.
        """
        former = self.of(group).get(target.address)
        if former:
            _close(former, keep_file=True)
        sock = socket.socket(fileno=fd)
        sock.set_inheritable(False)
        path = parse(target.address).path
        file = open_socket_file(path) if path else -1
        if inode is not None and inode_of_file(file) not in (inode, None):
            os.close(file)
            file = -1
        self._hold(group, target.address, HeldListener(target, sock, pulse, file, uid))

    def close_all(self) -> None:
        """Close and remove everything."""
        for group in list(self._by_group):
            self.release(group, list(self._by_group[group]), ending=True)
        self.passed.close()

    def _inherit(self, target: ListenerTarget) -> HeldListener | None:
        """Share the socket of a group that gives this address up in the same apply (a rename): nothing is lost."""
        for listeners in self._by_group.values():
            listener = listeners.get(target.address)
            if listener:
                # not sock.dup(): that sets the new object's timeout, which makes the open file behind both blocking,
                # and a daemon that drains would wait in accept(2) for ever
                shared = socket.socket(fileno=os.dup(listener.sock.fileno()))
                file = os.dup(listener.file) if listener.file >= 0 else -1
                return HeldListener(target, shared, os.dup(listener.pulse), file, listener.uid)
        return None

    def _hold(self, group: str, address: str, listener: HeldListener) -> None:
        self._by_group.setdefault(group, {})[address] = listener
        self._groups_of.setdefault(address, {})[group] = None

    def _holders(self, address: str) -> list[HeldListener]:
        """The listeners of this address; of a thousand groups each asks for its own."""
        return [self._by_group[group][address] for group in self._groups_of.get(address, ())]

    def _foreign(self, address: str, uid: int | None) -> list[HeldListener]:
        """The sockets of this address that processes of other users have."""
        return [listener for listener in self._holders(address) if listener.uid != uid]

    def _renew(self, group: str, target: ListenerTarget, uid: int | None) -> None:
        """End every socket of this address and bind another one for this group. Raises WsgigroupsError."""
        held = self._holders(target.address)
        if any(self.passed.owns(listener.sock) for listener in held):
            self._listen_again(group, target, uid, held)
            return
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
        self._hold(group, target.address, renewed)

    def _listen_again(self, group: str, target: ListenerTarget, uid: int | None, held: Iterable[HeldListener]) -> None:
        """Make the best of a socket that is another's and cannot be bound anew. Raises WsgigroupsError."""
        for listener in held:
            if listener.uid != uid:
                raise _not_ours(group, target.address, "processes of another user have had it")
            with contextlib.suppress(OSError):
                listener.sock.listen(target.backlog)
            # one that the kernel had chosen the port of gets another one
            if is_shut(listener.sock) or address_of(listener.sock) != target.address:
                raise _not_ours(group, target.address, "somebody has shut it down")

    def _take(self, group: str, target: ListenerTarget, uid: int | None) -> HeldListener:
        """Use what the service manager passed for this address, or bind it. Raises WsgigroupsError."""
        sock = self.passed.take(target.address, uid)
        if sock is None:
            return self._bind(group, target, uid)
        path = parse(target.address).path
        file = open_socket_file(path) if path else -1
        return HeldListener(target, sock, pulse.create(f"wsgigroups-{group}"), file, uid)

    def _shared(self, listener: HeldListener) -> bool:
        return listener.target.address in self._groups_of

    def _bind(self, group: str, target: ListenerTarget, uid: int | None) -> HeldListener:
        sock, file = binding.bind(group, target)
        return HeldListener(target, sock, pulse.create(f"wsgigroups-{group}"), file, uid)


def _not_ours(group: str, address: str, why: str) -> WsgigroupsError:
    return WsgigroupsError(
        f"cannot listen on {address} for group {group!r}: the service manager passed its socket, and {why}",
        hint="stop the service, restart its socket unit, and start the service",
    )


def _settle(group: str, listener: HeldListener, target: ListenerTarget, *, given: bool) -> None:
    """Give a socket, and its file, what the target has. Raises WsgigroupsError."""
    try:
        # a unit's file has the unit's owner; what is lost is bound again, with its owner
        inode = None if given or listener.lost else listener.inode
        socket_settings.tune(listener.sock, target, inode)
    except OSError as error:
        raise WsgigroupsError(
            f"cannot listen on {target.address} for group {group!r}: {error.strerror}",
            hint="what it had before stays",
        ) from None
    listener.target = target


def _close(listener: HeldListener, *, keep_file: bool = False) -> None:
    if not keep_file:  # nobody else has a right to it, whoever still has it
        seal(listener.sock)
    path = parse(listener.target.address).path
    if not keep_file and path:
        unlink_if_same(path, listener.inode, judging_root())
    listener.sock.close()
    os.close(listener.pulse)
    if listener.file >= 0:
        os.close(listener.file)
