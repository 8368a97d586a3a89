"""What `make test-vm` boots: a cloud kernel of Debian's, an initramfs that finds the disk, and a disk with a Debian.

Made once, by root on a Debian, in a directory that `make clean` removes; made again when what it is made of changes.
Nothing is installed on the host but the packages that make and run it; no kernel is.
"""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import environment, facts
from tools.choose import SetUpError
from tools.environment import CLONE, fingerprint, run, say

PACKAGES = ("cpio", "debootstrap", "e2fsprogs", "python3-venv", "qemu-system-x86")  # of the host
INSIDE = ("iproute2", "procps", "python3", "util-linux")  # of the machine; all else it needs comes from the index
KERNEL = "linux-image-cloud-amd64"  # the newest of this distribution
MODULES = (  # in the order in which they need each other; those that a kernel has built in are not there
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
)
ROOM_MB = 300  # on the disk, beyond what is put there
PROJECT = "/project"  # where the machine has the clone
_MARK = "made-of"
_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /dev /root
/bin/busybox mount -t devtmpfs dev /dev
for module in {modules}; do
    /bin/busybox insmod /modules/$module.ko
done
/bin/busybox mount -t ext4 /dev/vda /root && /bin/busybox mount -t ext4 /dev/vdb /root{project} \\
    && exec /bin/busybox switch_root /root /usr/bin/python3 {project}/tests/vm/guest.py
/bin/busybox reboot -f
"""


@dataclass(frozen=True)
class Image:
    """The files that are booted."""

    kernel: Path
    initramfs: Path
    disk: Path
    release: str  # of the kernel


def make_image(place: Path) -> Image:
    """Make the image in the directory `place`, where it is not there already. Raises SetUpError."""
    if not facts.has_apt() or os.uname().machine != "x86_64":
        raise SetUpError("cannot make a virtual machine: this needs a Debian on x86-64")
    place.mkdir(exist_ok=True)
    _install_missing()
    kernel = _newest_kernel()
    wanted = fingerprint([kernel, _suite(), *requirements()], CLONE, ("tools/vm_image.py",))
    mark = place / _MARK
    image = Image(place / "vmlinuz", place / "initramfs", place / "disk.ext4", kernel.removeprefix("linux-image-"))
    if not mark.exists() or mark.read_text() != wanted:
        mark.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            _make(image, Path(scratch), kernel)
        mark.write_text(wanted)
    return image


def make_disk(tree: Path, disk: Path) -> None:
    """Write an ext4 file system with what is in a directory. Raises SetUpError."""
    used = int(_said(["du", "--summarize", "--block-size=1M", str(tree)]).split()[0])
    disk.unlink(missing_ok=True)
    with open(disk, "wb") as file:
        file.truncate((used + used // 5 + ROOM_MB) << 20)
    run(["mkfs.ext4", "-q", "-O", "^has_journal", "-d", str(tree), str(disk)])


def _install_missing() -> None:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if missing:
        say(f"Installing the packages {', '.join(missing)} …")
        environment.install_packages(missing)


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat=${Status}", package]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    return done.stdout.endswith("install ok installed")


def _suite() -> str:
    words = dict(
        line.rstrip().split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    return words.get("VERSION_CODENAME", "stable").strip('"')


def _newest_kernel() -> str:
    """Return the package that the metapackage leads to."""
    for line in _said(["apt-cache", "depends", KERNEL]).splitlines():
        relation, _colon, name = line.strip().partition(": ")
        if relation == "Depends" and name.startswith("linux-image-"):
            return name
    raise SetUpError(f"cannot find the kernel: apt-cache knows no {KERNEL}; apt-get update may help")


def _make(image: Image, scratch: Path, kernel: str) -> None:
    say(f"Fetching {kernel} …")
    unpacked = scratch / "packages"
    unpacked.mkdir()
    _fetch(scratch, unpacked, (kernel, "busybox-static"))
    shutil.copyfile(unpacked / "boot" / f"vmlinuz-{image.release}", image.kernel)
    _make_initramfs(image, unpacked, scratch / "initramfs")
    say(f"Making a Debian ({_suite()}) for the virtual machine …")
    root = scratch / "root"
    run(["debootstrap", "--variant=minbase", f"--include={','.join(INSIDE)}", _suite(), str(root)])
    _install_python_packages(root, scratch / "installer")
    (root / PROJECT[1:]).mkdir()
    make_disk(root, image.disk)


def _fetch(scratch: Path, target: Path, names: Sequence[str]) -> None:
    """Download packages and unpack them; run none of their scripts."""
    for name in names:
        done = subprocess.run(
            ["apt-get", "download", "-q", name], cwd=scratch, capture_output=True, check=False, text=True
        )
        if done.returncode:
            raise SetUpError(f"cannot download {name}: {done.stderr.strip()}; apt-get update may help")
    for file in scratch.glob("*.deb"):
        run(["dpkg-deb", "--extract", str(file), str(target)])


def _make_initramfs(image: Image, unpacked: Path, tree: Path) -> None:
    (tree / "bin").mkdir(parents=True)
    (tree / "modules").mkdir()
    shutil.copy(unpacked / "bin" / "busybox", tree / "bin" / "busybox")
    found = {path.name.partition(".ko")[0]: path for path in (unpacked / "lib/modules").rglob("*.ko*")}
    present = [name for name in MODULES if name in found]
    for name in present:
        content = found[name].read_bytes()
        (tree / "modules" / f"{name}.ko").write_bytes(
            lzma.decompress(content) if found[name].suffix == ".xz" else content
        )
    (tree / "init").write_text(_INIT.format(modules=" ".join(present), project=PROJECT))
    (tree / "init").chmod(0o755)
    names = "".join(f"{path.relative_to(tree)}\0" for path in [tree / "init", *sorted(tree.rglob("*"))])
    command = ["cpio", "--create", "--quiet", "--null", "--format=newc", "--reproducible"]
    with open(image.initramfs, "wb") as file:
        done = subprocess.run(command, input=names.encode(), stdout=file, cwd=tree, check=False)
    if done.returncode:
        raise SetUpError("cannot make an initramfs: cpio failed")


def _install_python_packages(root: Path, installer: Path) -> None:
    """Put what the project and its tests need where Debian's Python looks for it, by the host's, which is the same."""
    run([facts.DISTRIBUTION_PYTHON, "-I", "-m", "venv", str(installer)])
    version = next(path.name for path in sorted((root / "usr/bin").glob("python3.[0-9]*")))
    target = root / f"usr/local/lib/{version}/dist-packages"
    quiet = ("--quiet", "--disable-pip-version-check")
    run(
        [
            str(installer / "bin" / "python"),
            "-I",
            "-m",
            "pip",
            "install",
            *quiet,
            "--target",
            str(target),
            *requirements(),
        ]
    )
    (target / "project.pth").write_text(PROJECT + "\n")


def requirements() -> list[str]:
    """Return what the project needs, and what its tests do."""
    text = (CLONE / "pyproject.toml").read_text(encoding="utf-8")
    found = []
    for name in ("dependencies", "tests"):
        inside = text.partition(f"\n{name} = [\n")[2].partition("\n]")[0]
        lines = [line.strip().partition("  #")[0].rstrip(" ,") for line in inside.splitlines()]
        found += [line[1:-1] for line in lines if line.startswith('"')]
    return found


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
