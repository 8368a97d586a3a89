"""`wsgigroups start GROUP…`."""

from __future__ import annotations

from wsgigroups.cli.actions import group_action

command = group_action("start", "Start stopped groups; a group in backoff tries again at once.")
