"""A place where podman runs containers and leaves nothing behind: name spaces, storage and networks of its own.

Runs in pytest's process; needs root. Process 1 of the place ends with the context, or with pytest, and with it go all
processes, mounts and interfaces; cgroups are removed. Two things are for machines that are containers themselves:
limits are no higher than they are anyway, since to raise them takes CAP_SYS_RESOURCE, and cgroup v2 beside v1 is
hidden, which crun refuses.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HUNG_S = 180.0
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, of setns(2)
_BEGIN = """\
umount /sys/fs/cgroup/unified 2>/dev/null
for place in /run /var/lib "$1"; do mount -t tmpfs none "$place" || exit 1; done
mkdir "$1/tmp" "$1/networks" && ip link set lo up && echo ready && exec cat
"""
_SETTINGS = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[network]
network_backend = "netavark"
network_config_dir = "{store}/networks"
"""


@dataclass
class ContainerPlace:
    """directory: its own, which has what its processes share with tests; process: the first one in it."""

    directory: Path
    first: int

    def enter(self, *command: str) -> list[str]:
        """Return the command line that runs a command there."""
        return ["nsenter", f"--target={self.first}", "--mount", "--net", "--pid", *command]

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of podman there."""
        store = self.directory / "store"
        return self.enter(
            "env", "-i", f"PATH={os.defpath}:/usr/sbin:/sbin", f"HOME={store}", f"TMPDIR={store}/tmp",
            f"CONTAINERS_CONF={self.directory}/containers.conf",
            "podman", "--storage-driver=overlay", f"--root={store}/graph", "--runroot=/run/graph", *arguments,
        )  # fmt: skip

    def podman(self, *arguments: str, given: Path | None = None) -> str:
        """Run podman; return what it prints, without errors. given: its standard input."""
        with open(given or os.devnull, "rb") as source:
            done = subprocess.run(
                self.command(*arguments), stdin=source, capture_output=True, text=True, timeout=HUNG_S, check=False
            )
        assert done.returncode == 0, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def log(self, name: str) -> str:
        """What a container has written, to standard output and to standard error."""
        command = self.command("logs", name)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HUNG_S, check=False)
        return done.stdout.decode()

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Have the sockets of this thread, and of those that it starts, in the network of the place."""
        with _entered(f"/proc/{self.first}/ns/net"):
            yield


@contextlib.contextmanager
def container_place(directory: Path) -> Iterator[ContainerPlace]:
    """Begin one. directory: an empty one of its own. Raises OSError where the kernel does not let root have that."""
    store = directory / "store"
    store.mkdir()
    files, processes = (resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    limits = {"files": _bounded(files), "processes": _bounded(processes)}
    (directory / "containers.conf").write_text(_SETTINGS.format(store=store, **limits))
    space = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation=private"]
    with (directory / "place.log").open("wb") as log:
        process = subprocess.Popen(
            [*space, "sh", "-c", _BEGIN, "sh", str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
    assert process.stdin
    assert process.stdout
    made: set[str] = set()
    try:
        if process.stdout.readline() != b"ready\n":
            raise OSError((directory / "place.log").read_text())
        place = ContainerPlace(directory, _child(process.pid))
        try:
            yield place
        finally:
            place.podman("pod", "rm", "--all", "--force", "--time=0")
            place.podman("rm", "--all", "--force", "--time=0")
            made.update(place.podman("events", "--stream=false", "--format={{.ID}}").split())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(HUNG_S)
        _remove_cgroups(made)


def _bounded(limit: int) -> int:
    most = 2**20
    return most if limit == resource.RLIM_INFINITY else min(limit, most)


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@contextlib.contextmanager
def _entered(network: str) -> Iterator[None]:
    library = ctypes.CDLL(None, use_errno=True)

    def go(descriptor: int) -> None:
        if library.setns(descriptor, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")

    own, other = (os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in ("/proc/thread-self/ns/net", network))
    try:
        go(other)
        try:
            yield
        finally:
            go(own)
    finally:
        os.close(own)
        os.close(other)


def _remove_cgroups(made: set[str]) -> None:
    """Remove what podman and systemd leave of these pods and containers: others may have some in the same place."""
    everywhere = Path("/sys/fs/cgroup")
    for top in (*everywhere.glob("libpod_parent"), *everywhere.glob("*/libpod_parent")):
        for own in (path for path in top.iterdir() if path.name.removeprefix("libpod-") in made):
            for path in sorted((own, *own.rglob("*/")), reverse=True):
                if path.is_dir():
                    path.rmdir()
        for path in (top / "conmon", top):
            with contextlib.suppress(OSError):  # in use, or not there
                path.rmdir()
