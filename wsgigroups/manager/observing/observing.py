"""The manager's own listeners for health, metrics and the dashboard: bound as `[server]` says, kept over an upgrade.

Runs in the manager's only thread. An apply that names an address which cannot be had is refused; a manager that starts
goes on without it, and tries again. They are never a reason for anything else to fail.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from wsgigroups.config.addresses import parse
from wsgigroups.config.observing import ObservingPlaces
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.control.library_log import library_logger
from wsgigroups.manager.observing.door import ObservingDoor
from wsgigroups.manager.observing.pages import Pages, counting_groups
from wsgigroups.manager.supervision.binding import bind_own
from wsgigroups.trust.sockets import inode_of, unlink_if_same
from wsgigroups.trust.walking import judging_root

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from wsgigroups.manager.observing.application_metrics import ApplicationMetrics
    from wsgigroups.manager.observing.scraping import Scrapes
    from wsgigroups.manager.observing.served_dashboard import ServedDashboard
    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.trust.sockets import Inode

CLEAR_S = 10.0
_LEAVE_S = 1.0  # for those who are in when the next version is to follow
_LOOK_S = 0.005  # between two looks whether they have left


@dataclass(slots=True)
class _Place:
    """A door that is open. inode: of a UNIX socket's file."""

    door: ObservingDoor
    inode: Inode | None


@dataclass(slots=True)
class Observing:
    """`follow` what a configuration says; `places` is what is wanted. handed: listeners of the version before."""

    shell: Shell
    scrapes: Scrapes
    log: Callable[[str, str], None]
    counting: ApplicationMetrics
    places: ObservingPlaces = field(default_factory=ObservingPlaces)
    handed: dict[str, socket.socket] = field(default_factory=dict)
    begun: bool = False  # what the manager was started with is under way
    make_dashboard: Callable[[], ServedDashboard] | None = None  # called when one is wanted: None, it can have none
    _open: dict[str, _Place] = field(default_factory=dict)
    _runners: dict[bool, web.AppRunner] = field(default_factory=dict)  # by whether health is answered, too
    _dashboard: ServedDashboard | None = None
    _clearing: asyncio.Task[None] | None = None
    _said: dict[str, str] = field(default_factory=dict)  # why an address cannot be had, as it was told

    async def start(self) -> None:
        """Begin to answer, at the places that are wanted already."""
        pages = Pages(self.shell, self.scrapes, self.counting, lambda: self.begun)
        self._clearing = asyncio.create_task(self._clear())
        for health, app in ((True, pages.health()), (False, pages.metrics())):
            runner = web.AppRunner(
                app,
                access_log=None,
                handle_signals=False,
                shutdown_timeout=1.0,
                logger=library_logger(self.log),
            )
            await runner.setup()
            self._runners[health] = runner
        self.look()

    def link(self) -> str:
        """Return an address that opens the dashboard once. Raises WsgigroupsError where none is open."""
        address = self.places.dashboard
        if self._dashboard is None or not address:
            raise WsgigroupsError(
                "cannot open a dashboard: this manager has none",
                hint='set dashboard = "127.0.0.1:9000" in [server], or run `wsgigroups web` without --link',
            )
        if address not in self._open:
            raise WsgigroupsError(f"cannot open the dashboard: {address} could not be had yet", hint="see the log")
        return self._dashboard.link(address)

    def prepare(self, places: ObservingPlaces) -> dict[str, socket.socket]:
        """Bind what is not open yet. Raises WsgigroupsError; nothing is left bound then."""
        if places.dashboard:
            self._begin_dashboard()
        opened: dict[str, socket.socket] = {}
        try:
            for option, address in places.by_option.items():
                if address not in self._open and address not in opened:
                    handed = address in self.handed
                    opened[address] = self.handed.pop(address) if handed else bind_own(option, address)
        except WsgigroupsError:
            self.discard(opened)
            raise
        return opened

    def discard(self, opened: Mapping[str, socket.socket]) -> None:
        """Close what was prepared and is not wanted."""
        for address, listener in opened.items():
            inode = inode_of(parse(address).path)
            listener.close()
            _unlink(address, inode)

    def commit(self, places: ObservingPlaces, opened: Mapping[str, socket.socket]) -> None:
        """Answer at these places, and at no others."""
        if self._dashboard is not None and places.dashboard != self.places.dashboard:
            self._dashboard.end_sessions()
        self.places = places
        for address, listener in opened.items():
            place = _Place(ObservingDoor(listener, self._protocol(address), self.log), inode_of(parse(address).path))
            self._open[address] = place
            self.log("info", f"the manager answers at {address}")
        wanted = set(places.by_option.values())
        for address, place in list(self._open.items()):
            place.door.protocol = self._protocol(address)
            if address not in wanted:
                self._close(address)

    def follow(self, places: ObservingPlaces) -> None:
        """Want these places; what cannot be had is told once, and tried again by `look`."""
        self.commit(places, {})
        self.look()

    def look(self) -> None:
        """Try again what could not be had, and make a socket's file again that is lost."""
        if not self._runners:
            return  # `start` looks when there is somebody to answer
        for address, place in list(self._open.items()):
            if place.inode is not None and inode_of(parse(address).path) != place.inode:
                self.log("warning", f"the file of {address} was lost: it is made again")
                self._close(address)
        for option, address in self.places.by_option.items():
            if address in self._open:
                continue
            one = ObservingPlaces(**{option.removesuffix("-listen"): address})
            try:
                opened = self.prepare(one)
            except WsgigroupsError as error:
                if self._said.get(address) != error.message:
                    self.log("error", f"{error.message}; it is tried again")
                self._said[address] = error.message
                continue
            self._said.pop(address, None)
            self.commit(self.places, opened)

    def descriptors(self) -> dict[str, int]:
        """The listeners, for the next version."""
        return {address: place.door.listener.fileno() for address, place in self._open.items()}

    async def rest(self) -> None:
        """Let nobody in until `go_on`, and answer those who are in, for a moment at most: the next version follows."""
        doors = [place.door for place in self._open.values()]
        for door in doors:
            door.rest()
        until = time.monotonic() + _LEAVE_S
        while any(door.is_visited for door in doors) and time.monotonic() < until:  # noqa: ASYNC110 - seldom
            await asyncio.sleep(_LOOK_S)

    def go_on(self) -> None:
        """Let people in again: there is no next version."""
        for place in self._open.values():
            place.door.go_on()

    async def stop(self) -> None:
        """Answer nobody any more."""
        for address in list(self._open):
            self._close(address)
        self.discard(self.handed)
        self.handed.clear()
        if self._clearing:
            self._clearing.cancel()
        if not self.shell.state.groups:
            self.counting.close()
        if self._dashboard is not None:
            await self._dashboard.stop()
        for runner in self._runners.values():
            await runner.cleanup()

    async def _clear(self) -> None:
        """Fold in again and again what ended processes of applications have counted."""
        while True:
            await asyncio.sleep(CLEAR_S)
            names = counting_groups(self.shell)
            await asyncio.to_thread(self.counting.look, names)

    def _begin_dashboard(self) -> None:
        """Have a dashboard, whose code no other manager loads. Raises WsgigroupsError."""
        if self._dashboard is not None or self.make_dashboard is None:
            return
        try:
            dashboard = self.make_dashboard()
        except Exception as error:  # files of another version lie there by now
            self.log("error", f"the dashboard:\n{traceback.format_exc()}")
            raise WsgigroupsError(
                f"cannot load the dashboard: {type(error).__name__}",
                hint="where wsgigroups was updated, run `wsgigroups upgrade` first",
            ) from error
        dashboard.stays = self._let_stay
        dashboard.begin()
        self._dashboard = dashboard

    def _let_stay(self, fd: int) -> None:
        for place in self._open.values():
            place.door.let_stay(fd)

    def _protocol(self, address: str) -> Callable[[], asyncio.Protocol]:
        if self._dashboard is not None and address == self.places.dashboard:
            return self._dashboard.protocol
        server = self._runners[address == self.places.health].server
        assert server is not None
        return server

    def _close(self, address: str) -> None:
        place = self._open.pop(address)
        place.door.close()
        _unlink(address, place.inode)


def _unlink(address: str, inode: Inode | None) -> None:
    path = parse(address).path
    if path and inode is not None:
        unlink_if_same(path, inode, judging_root())
