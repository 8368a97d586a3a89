"""Options of confinement that contradict each other, or what the processes need to serve. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.kernel_names import SERVING, expanded
from wsgigroups.config.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config.checks.times import Found
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults

_TMP = ("/tmp", "/var/tmp")  # noqa: S108 - looked for, not used


def check_confinement(group: Group, _server: ServerDefaults) -> Found:
    """Yield what keeps the processes of a group from starting, or has no effect."""
    yield from _hidden(group)
    for path in sorted({*group.read_only_paths} & {*group.read_write_paths}):
        yield "WG0520", "read-write-paths", f"{shown(path)} is in read-only-paths, too", "take it out of one of them"
    items = group.system_call_filter
    if items and items[0].startswith("~"):
        refused = expanded([items[0][1:], *items[1:]]) & expanded(SERVING.split())
        if refused:
            names = ", ".join(sorted(refused)[:3]) + (" and others" if len(refused) > 3 else "")
            hint = "name what is allowed instead: @system-service"
            yield "WG0521", "system-call-filter", f"without {names} no process can serve", hint
    if group.read_write_paths and not (
        group.read_only_paths or group.protect_system == "strict" or group.protect_home != "no"
    ):
        yield "WG0522", "read-write-paths", "everything is writable here that the user may write", "leave it out"
    everything = "/" in group.read_only_paths or group.protect_system == "strict"
    own = "TMPDIR" in group.environment or any(f"{path}/".startswith(f"{_TMP[0]}/") for path in group.read_write_paths)
    if everything and not group.private_tmp and not own:
        key = "read-only-paths" if "/" in group.read_only_paths else "protect-system"
        hint = "set private-tmp = true, or name a directory in read-write-paths and in the variable TMPDIR"
        yield "WG0523", key, "there is no place for temporary files", hint


def _hidden(group: Group) -> Found:
    covers = [("inaccessible-paths", path) for path in group.inaccessible_paths]
    if group.private_tmp:
        covers += [("private-tmp", path) for path in _TMP]
    for option, path in _needed(group):
        for cover, hidden in covers:
            if hidden == "/" or f"{path}/".startswith(f"{hidden.rstrip('/')}/"):
                message = f"{option} {shown(path)} is below {hidden}, which {cover} hides"
                yield "WG0519", cover, message, f"move {option} elsewhere"


def _needed(group: Group) -> Iterator[tuple[str, str]]:
    for option, path in (("home", group.home), ("script", group.script), ("python-home", group.python_home)):
        if path is not None:
            yield option, path
    for path in group.python_path:
        yield "python-path", path
