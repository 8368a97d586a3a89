"""Logs of a manager that does not run: files are opened as usual."""

from __future__ import annotations

from pathlib import Path

from wsgigroups.manager.supervision.logs import Logs


def logs_of_nobody() -> Logs:
    """Return logs that no log writer is started for."""
    return Logs(Path("/nonexistent"), 2, lambda _level, _text: None)
