"""What is known of a request while it is answered: what was asked, of whom, and since when."""

from __future__ import annotations

from typing import Any, FrozenSet, List

from ..protocol.heads import Head
from .forwarding import ConnectionFacts, RequestFacts
from .router import Match


class Request:
    """One request."""

    __slots__ = ("began_ns", "connection", "facts", "head", "journal", "match", "own_fields")

    def __init__(
        self, head: Head, match: Match, began_ns: int, connection: ConnectionFacts, facts: RequestFacts
    ) -> None:
        self.head = head
        self.match = match
        self.began_ns = began_ns
        self.connection = connection
        self.facts = facts
        self.journal: Any = None  # where its line goes; None: it gets none
        self.own_fields: List[str] = []  # lines of the site's, in each of its answers

    def is_for_one_of(self, groups: FrozenSet[str]) -> bool:
        """Whether it is for one of these groups."""
        mount = self.match.mount
        return mount is not None and mount.group in groups
