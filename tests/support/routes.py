"""Paths of the control API with what there is in the place of each name: change 1, revision 1, group a. Pure."""

from __future__ import annotations

VALUES = (("id", "1"), ("revision", "1"), ("group", "a"), ("name", "a"))


def with_values(path: str) -> str:
    """A path of a route, without braces."""
    for name, value in VALUES:
        path = path.replace(f"{{{name}}}", value)
    return path
