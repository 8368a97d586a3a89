"""Which files a plan is about: where each of its groups came from, or will. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.config.owners import Owners
from wsgigroups.plan.planner import StepKind, listed

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_files(planned: Mapping[str, Any], before: Owners, after: Owners) -> dict[str, Any]:
    """Return a plan, as `Plan.to_json` has it, with the files of each step, and what else is to be known of them.

    before: of what runs; after: of what is asked for.
    """
    steps = [_with_files(step, before, after) for step in planned["steps"]]
    notices = [*planned["notices"], *_moves(before, after)]
    return {**planned, "steps": steps, "notices": notices, "unrecorded": after not in (before, Owners())}


def _with_files(step: Mapping[str, Any], before: Owners, after: Owners) -> dict[str, Any]:
    name = step["group"]
    if step["kind"] != StepKind.REMOVE.value:
        return {**step, "files": after.groups.get(name, ())}
    files = before.groups.get(name, ())
    if not files:
        return {**step, "files": files}
    where = ", ".join(files)
    gone = set(files) <= after.files()
    why = f"no longer in {where}" if gone else f"it came from {where}, which is not among these files"
    return {**step, "files": files, "reasons": [{**reason, "why": why} for reason in step["reasons"]]}


def _moves(before: Owners, after: Owners) -> list[str]:
    """A sentence for each file that groups go to, away from others that had them."""
    moved: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(before.groups.keys() & after.groups.keys()):
        if before.groups[name] != after.groups[name]:
            moved.setdefault(after.groups[name], []).append(name)
    return [f"{listed(names)}: from {', '.join(files)} now" for files, names in moved.items()]
