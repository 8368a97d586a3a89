"""Listening sockets that a service manager passed: those of its socket units, and those that it kept for us.

sd_listen_fds(3): LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, descriptors from 3 on. A socket is known by its address.
One of a socket unit is the unit's: never shut, nor its file removed. One that was kept has our name, and is ours.
Runs in the manager's only thread.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import Address
from wsgigroups.manager.supervision.sealing import is_shut, seal
from wsgigroups.trust.sockets import inode_of, unlink_if_same
from wsgigroups.trust.walking import judging_root

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from wsgigroups.manager.supervision.listeners import HeldListener
    from wsgigroups.trust.sockets import Inode

FIRST_FD = 3  # SD_LISTEN_FDS_START
_OURS = "wsgigroups"
# a name of `name_of`; that of a socket unit may begin the same way: it is the name of its file, where it says no other
_KEPT = re.compile(rf"{_OURS}-(own|[0-9]+)-(tcp|[0-9]+\.[0-9]+)-[0-9a-f]+-[0-9]+")


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """One that listens. name: ours for what was kept, else a unit's; number: of the socket, the same for all copies."""

    sock: socket.socket
    address: str
    name: str

    @property
    def number(self) -> int:
        """Of the socket itself."""
        return os.fstat(self.sock.fileno()).st_ino

    @property
    def kept(self) -> bool:
        """Whether it is one of ours, that the service manager kept."""
        return _KEPT.fullmatch(self.name) is not None

    @property
    def uid(self) -> int | None:
        """Whose processes had it when it was given to be kept; None: the manager's own."""
        text = self.name.split("-")[1] if self.kept else "own"
        return int(text) if text.isdigit() else None

    @property
    def file(self) -> Inode | None:
        """Device and number of its file when it was given to be kept."""
        device, _, number = (self.name.split("-")[2] if self.kept else "").partition(".")
        return (int(device), int(number)) if device.isdigit() and number.isdigit() else None


def name_of(listener: HeldListener) -> str:
    """The name that a listener is kept by: whose it is, its file, its address, and which socket it is.

    No colons and at most 255 characters, as sd_pid_notify_with_fds(3) has it.
    """
    uid = "own" if listener.uid is None else str(listener.uid)
    file = "{}.{}".format(*listener.inode) if listener.inode else "tcp"
    address = hashlib.sha256(listener.target.address.encode()).hexdigest()[:12]
    return f"{_OURS}-{uid}-{file}-{address}-{os.fstat(listener.sock.fileno()).st_ino}"


@dataclass(slots=True)
class PassedSockets:
    """What was passed. Sockets of units stay open here, for whichever group has their address; kept ones are taken."""

    units: dict[str, PassedSocket] = field(default_factory=dict)  # by address
    kept: dict[str, PassedSocket] = field(default_factory=dict)  # by address, until a group takes it
    names: set[str] = field(default_factory=set)  # of all that the service manager keeps of ours

    def owns(self, sock: socket.socket) -> bool:
        """Whether a socket is a unit's."""
        number = os.fstat(sock.fileno()).st_ino
        return any(passed.number == number for passed in self.units.values())

    def take(self, address: str, uid: int | None) -> socket.socket | None:
        """Return the socket of an address, None when there is none that these users' processes may have."""
        unit = self.units.get(address)
        if unit:
            return socket.socket(fileno=os.dup(unit.sock.fileno()))
        kept = self.kept.pop(address, None)
        if kept is None:
            return None
        path = address.partition("unix:")[2]
        if kept.uid == uid and not is_shut(kept.sock) and (not path or inode_of(path) == kept.file):
            return kept.sock
        _end(kept)
        return None

    def release(self, in_use: set[int]) -> None:
        """End what was kept and nobody took. in_use: numbers of sockets that others have, of which only a copy goes."""
        for kept in self.kept.values():
            if kept.number in in_use:
                kept.sock.close()
            else:
                _end(kept)
        self.kept.clear()

    def close(self) -> None:
        """Let go of all descriptors."""
        for passed in (*self.units.values(), *self.kept.values()):
            passed.sock.close()
        self.units.clear()
        self.kept.clear()


def _end(kept: PassedSocket) -> None:
    seal(kept.sock)
    kept.sock.close()
    path = kept.address.partition("unix:")[2]
    if path:
        unlink_if_same(path, kept.file, judging_root())


def passed_by(environment: MutableMapping[str, str], log: Callable[[str, str], None]) -> PassedSockets:
    """Take over the descriptors that were passed to this process; what is no listening socket is closed, and named."""
    pid, count, names = (environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    found = PassedSockets()
    if pid != str(os.getpid()) or not count.isdigit():
        return found
    named = names.split(":")
    for number in range(int(count)):
        name = named[number] if number < len(named) else "unknown"
        accept(found, FIRST_FD + number, name, log)
    return found


def accept(found: PassedSockets, fd: int, name: str, log: Callable[[str, str], None]) -> None:
    """Take one descriptor over."""
    try:
        sock = _stream(fd)
    except OSError as error:
        log("error", f"descriptor {fd} ({name}) that the service manager passed does not exist: {error.strerror}")
        return
    address = address_of(sock) if sock else ""
    if sock is None or not address:
        os.close(sock.detach() if sock else fd)
        log("error", f"descriptor {fd} ({name}) that the service manager passed is no listening stream socket: closed")
        return
    passed = PassedSocket(sock, address, name)
    if passed.kept:
        found.names.add(name)
    place = found.kept if passed.kept else found.units
    if address in place:
        sock.close()
        return
    place[address] = passed


def _stream(fd: int) -> socket.socket | None:
    os.set_inheritable(fd, False)
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return None
    sock = socket.socket(fileno=fd)
    if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        sock.detach()
        return None
    os.set_blocking(fd, False)  # several processes wait at it: whoever comes late must not wait in accept(2)
    return sock


def address_of(sock: socket.socket) -> str:
    """The address as `listen` has it, empty for a socket that nobody could be at."""
    try:
        name = sock.getsockname()
    except OSError:
        return ""
    if sock.family == socket.AF_UNIX:
        return str(Address("unix", path=name)) if isinstance(name, str) and name.startswith("/") else ""
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return ""
    return str(Address("tcp", name[0], name[1]))
