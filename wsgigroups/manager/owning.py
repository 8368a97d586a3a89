"""Which files the groups of a revision came from: read once for each, however often somebody looks.

Runs in the manager's only thread, and in the one that makes a plan meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.owners import Owners
from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    from wsgigroups.config import Configuration
    from wsgigroups.manager.store import Store
    from wsgigroups.plan.desired import Desired

    ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A whole configuration, and the targets of what an apply of it is about. scope: names of groups; None: all."""

    configuration: Configuration
    targets: Desired
    scope: frozenset[str] | None = None

    def within(self, found: Mapping[str, ItemT]) -> dict[str, ItemT]:
        """Return what is of groups that it is about."""
        return {name: item for name, item in found.items() if self.scope is None or name in self.scope}

    def beyond(self, found: Mapping[str, ItemT]) -> dict[str, ItemT]:
        """Return the rest."""
        return {name: item for name, item in found.items() if self.scope is not None and name not in self.scope}


@dataclass(slots=True)
class KnownOwners:
    """The owners of the revision that was asked for last."""

    store: Store
    _last: tuple[int, Owners] = field(default_factory=lambda: (0, Owners()))

    def of(self, revision: int) -> Owners:
        """Return the owners of a revision; none of one that is not kept, or cannot be read."""
        if self._last[0] != revision:
            try:
                found = Owners.read(self.store.document(revision))
            except WsgigroupsError:
                found = Owners()
            self._last = revision, found
        return self._last[1]

    def record(self, revision: int, owners: Owners) -> None:
        """Store other owners of a revision whose options are the same, where they are known.

        Raises OSError, and WsgigroupsError.
        """
        if owners not in (Owners(), self.of(revision)):
            self.store.set_owners(revision, owners.to_document())
            self._last = revision, owners
