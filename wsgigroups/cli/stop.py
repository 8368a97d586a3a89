"""`wsgigroups stop GROUP…`."""

from __future__ import annotations

from wsgigroups.cli.actions import group_action

command = group_action("stop", "Drain groups and keep them stopped.")
