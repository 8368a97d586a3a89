"""What the table `[server]` says of the manager itself: where it answers, and for how long its end is put off.

The revision in force decides, also when its apply is undone, and when the manager died while it went on. Runs in the
manager's loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config import Configuration
from wsgigroups.config.observing import places_of
from wsgigroups.config.own import drain_delay_text, own_options
from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.manager.observing.observing import Observing
    from wsgigroups.manager.store import Store, Stored


@dataclass(slots=True)
class OwnSettings:
    """What is in force. observing: the manager's own listeners. drain_delay_s: 0, nothing is put off."""

    store: Store
    observing: Observing | None = None
    drain_delay_s: float = 0.0

    def follow(self, server: ServerDefaults) -> None:
        """Go by this from now on; an address that cannot be had is tried again."""
        self.drain_delay_s = server.drain_delay
        if self.observing:
            self.observing.follow(places_of(server))

    def follow_revision(self, number: int) -> None:
        """Go by what a revision says; where it is not kept, or cannot be used, by what is in force."""
        try:
            server = self.store.document(number).get("server", {})
            configuration = Configuration.from_document({"version": 1, "server": server})
        except (WsgigroupsError, OSError):
            return
        self.follow(configuration.server)

    def prepare(self, server: ServerDefaults) -> dict[str, socket.socket]:
        """Bind what is wanted and not open yet. Raises WsgigroupsError; nothing is left bound then."""
        return self.observing.prepare(places_of(server)) if self.observing else {}

    def discard(self, opened: Mapping[str, socket.socket]) -> None:
        """Close what was prepared and is not wanted."""
        if self.observing:
            self.observing.discard(opened)

    def commit(self, server: ServerDefaults, opened: Mapping[str, socket.socket]) -> None:
        """Go by this from now on, with the listeners that were prepared for it."""
        self.drain_delay_s = server.drain_delay
        if self.observing:
            self.observing.commit(places_of(server), opened)

    def are(self, server: ServerDefaults) -> bool:
        """Whether this is in force already."""
        return self.observing is None or self.by_option() == own_options(server)

    def by_option(self) -> dict[str, str]:
        """What is in force, as text by the names of the options; what is off is not there."""
        places = self.observing.places.by_option if self.observing else {}
        return {**places, **drain_delay_text(self.drain_delay_s)}

    def keep_in(self, stored: Stored) -> None:
        """Have it stored, for a manager that does not find the revision."""
        stored.drain_delay_s = self.drain_delay_s
        if self.observing:
            stored.observing = dict(self.observing.places.by_option)
