"""Where in the cgroup v2 hierarchy this process is, and whether it may have cgroups of its own there."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

PROC_SELF = Path("/proc/self")
_DELEGATED = ("trusted.delegate", "user.delegate")  # set by systemd on what it gave away: systemd.resource-control(5)


@dataclass(frozen=True, slots=True)
class CgroupPlace:
    """A directory in a cgroup v2 hierarchy, or the reason why there is none, a clause."""

    directory: Path | None
    reason: str = ""


def find_place(proc: Path = PROC_SELF) -> CgroupPlace:
    """Return the cgroup that this process may make cgroups in: its own one, or the unit's where it is in a part of it.

    proc: /proc/PID of the process, for the kernel's view of it (cgroups(7), proc(5): mountinfo).
    """
    path = own_path(proc)
    if path is None:
        return CgroupPlace(None, "this kernel has no cgroup v2")
    if "/.." in path:
        return CgroupPlace(None, "the manager is outside of what its cgroup namespace shows")
    mounted = [_below(point, root, path) for point, root in _mounts(proc)]
    directory = next((found for found in mounted if found is not None and found.is_dir()), None)
    if directory is None:
        return CgroupPlace(None, "no cgroup v2 hierarchy is mounted")
    if _is_delegated(directory.parent):  # DelegateSubgroup=: the unit's cgroup is ours, we are in one below it
        directory = directory.parent
    if not os.access(directory, os.W_OK) or not os.access(directory / "cgroup.procs", os.W_OK):
        return CgroupPlace(None, f"{directory} cannot be written")
    return CgroupPlace(directory)


def own_path(proc: Path) -> str | None:
    """Return the path in the v2 hierarchy as the kernel writes it, from `/` on; None without that hierarchy."""
    try:
        text = os.fsdecode((proc / "cgroup").read_bytes())
    except OSError:
        return None
    return next((line[3:] for line in text.splitlines() if line.startswith("0::/")), None)


def own_directories(proc: Path = PROC_SELF) -> list[Path]:
    """Return the cgroups that this process is in, from its own one up to the mount; none without that hierarchy."""
    path = own_path(proc)
    if path is None or "/.." in path:
        return []
    for point, root in _mounts(proc):
        directory = _below(point, root, path)
        if directory is not None:
            return [parent for parent in (directory, *directory.parents) if parent.is_relative_to(point)]
    return []


def path_of(pid: int) -> str | None:
    """The same of another process; None when it has ended."""
    return own_path(Path(f"/proc/{pid}"))


def run_id(run_dir: Path) -> str:
    """Return a short text for one run directory of this boot: the same for each manager of it, nobody else's."""
    found = run_dir.stat()
    material = f"{run_dir.resolve()}\0{found.st_dev}\0{found.st_ino}"
    return hashlib.sha256(material.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _mounts(proc: Path) -> list[tuple[str, str]]:
    """Return mount point and root of each cgroup v2 mount."""
    found = []
    for line in os.fsdecode((proc / "mountinfo").read_bytes()).splitlines():
        before, _dash, after = line.partition(" - ")
        if after.split(" ", 1)[0] == "cgroup2":
            fields = before.split(" ")
            found.append((_unescaped(fields[4]), _unescaped(fields[3])))
    return found


def _below(point: str, root: str, path: str) -> Path | None:
    if root == "/":
        return Path(point + path)
    if path == root or path.startswith(root + "/"):
        return Path(point + path[len(root) :])
    return None


def _unescaped(text: str) -> str:
    for code, sign in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, sign)
    return text


def _is_delegated(directory: Path) -> bool:
    for name in _DELEGATED:
        try:
            if os.getxattr(directory, name) == b"1":
                return True
        except OSError:
            continue
    return False
