"""Functions of the application's that want to hear of events. Any thread.

A callback is called as mod_wsgi calls it: with the event's name, and what is known of it as keywords. A dict that it
returns is for those that come after it, too. What it raises is logged and goes no further.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from .. import tracebacks
from ..log import Log

Callback = Callable[..., Any]


class Subscribers:
    """In the order in which they have subscribed."""

    def __init__(self, log: Log) -> None:
        self.callbacks: List[Callback] = []  # the application's to look at
        self._log = log

    def add(self, callback: Callback) -> Callback:
        """Subscribe. Raises TypeError for what cannot be called. Returns it, so that it is a decorator as well."""
        if not callable(callback):
            raise TypeError("a callback is needed, not %s" % type(callback).__name__)
        self.callbacks.append(callback)
        return callback

    def publish(self, name: str, event: Dict[str, Any]) -> Dict[str, Any]:
        """Call all of them; returns the event with what they have added."""
        for callback in self.callbacks[:]:
            try:
                more = callback(name, **event)
            except BaseException as error:  # noqa: BLE001 - it must not take the request or the process along
                self._log("error", "a subscriber of %s failed\n%s" % (name, tracebacks.of_error(error)))
                continue
            if isinstance(more, dict):
                event.update(more)
        return event
