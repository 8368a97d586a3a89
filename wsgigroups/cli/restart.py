"""`wsgigroups restart GROUP[/SLOT]…`."""

from __future__ import annotations

from wsgigroups.cli.actions import group_action

command = group_action(
    "restart",
    "Replace the processes of groups one by one: a successor is ready before the old one drains.",
    of_processes=True,
)
