"""mod_wsgi.LogHandler: a logging.Handler whose records keep their level in the log."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from .. import tracebacks
from ..log import Log
from ..logged import level_of


@functools.lru_cache(maxsize=None)
def log_handler(log: Log) -> type:
    """Return the class, always the same for one log. `logging` is the application's, whatever became of it."""
    logging: Any = importlib.import_module("logging")

    def emit(self: Any, record: Any) -> None:
        try:
            log(level_of(record.levelno), self.format(record))
        except Exception as error:  # noqa: BLE001 - a record that cannot be formatted must not end a request
            log("error", "a record cannot be logged\n%s" % tracebacks.of_error(error))

    doc = "Writes records to the log of the group, each with its level."
    return type("LogHandler", (logging.Handler,), {"emit": emit, "__doc__": doc, "__module__": "mod_wsgi"})
