"""`[server] drain-delay`: for how long a manager that is to end has everything serve on. Kept beside what runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DrainDelay:
    """What is in force. seconds: 0, nothing is put off."""

    seconds: float = 0.0
    _former: float = 0.0

    def follow(self, seconds: float) -> None:
        """Go by this from now on."""
        self._former, self.seconds = self.seconds, seconds

    def take_back(self) -> None:
        """Go by what was before the last change: its apply has been undone."""
        self.seconds = self._former
