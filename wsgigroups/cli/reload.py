"""`wsgigroups reload GROUP[/SLOT]…`."""

from __future__ import annotations

from wsgigroups.cli.actions import group_action

command = group_action(
    "reload",
    "Send the graceful signal: each process is followed and leaves within its eviction-timeout.",
    of_processes=True,
)
