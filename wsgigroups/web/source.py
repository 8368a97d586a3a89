"""Where the dashboard has its facts from: the manager itself, or a client of the control API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

Answer = dict[str, Any]  # a document of the control API


class FollowedLines(Protocol):
    """The end of one log, and what is added to it."""

    async def more(self) -> list[str]:
        """Return the lines since the last call; the first time the last ones. Raises WsgigroupsError."""

    def close(self) -> None:
        """Let go of it."""


class DashboardSource(Protocol):
    """Answers as the routes of the control API do. Each call raises WsgigroupsError."""

    async def status(self) -> Answer:
        """Groups and processes."""

    async def group(self, name: str) -> Answer:
        """One group: how it is set, and what its threads do now."""

    async def events(self, after: int) -> Answer:
        """What happened after the event with this number, the oldest first; 0: the newest."""

    async def deaths(self, group: str) -> Answer:
        """How the group's processes ended, the oldest first."""

    async def change(self, number: int) -> Answer:
        """One change."""

    def lines(self, group: str, status: Answer) -> FollowedLines:
        """Return the group's log. status: in which the group is. Raises WsgigroupsError where it is no file."""


class ActingSource(DashboardSource, Protocol):
    """One that may change something, with the authority of whoever started it."""

    async def act(self, action: str, body: Mapping[str, Any]) -> Answer:
        """Begin a change: restart, scale."""
