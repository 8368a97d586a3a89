"""`make test-vm`: run the tests of cgroups and confinement on a kernel with all controllers, in a virtual machine.

The machine has no network and no disk that is kept. It runs under KVM where that can be used, and is emulated
otherwise. Its serial console is shown; what it says last is whether the tests passed. As root, on a Debian.
"""

from __future__ import annotations

import argparse
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools import environment, facts
from tools.choose import SetUpError, choose_place
from tools.environment import CLONE, say
from tools.vm_image import Image, make_disk, make_image

TIMEOUT_S = {"kvm": 15 * 60, "tcg": 60 * 60}  # of the whole machine; a sixth as fast where it is emulated
MEMORY_MB = 2048
LSM = "landlock,lockdown,yama,integrity,apparmor,bpf"  # those of Debian, should its kernel have another list
TREE = ("pyproject.toml", "wsgigroups", "tests", "sample-configs", "tools")
# test_files.py beside it takes Landlock of Linux 6.2: Debian has 6.1
TESTS = ("tests/vm", "tests/security/confinement/test_calls.py")
_EXIT = re.compile(rb"^wsgigroups-vm: exit code (\d+)")
ACCELERATORS = {"kvm": "under KVM", "tcg": "emulated: this takes minutes"}
TIMED_OUT = 124  # timeout(1)
SILENCE_S = 20  # before the first word of the kernel, where KVM does not do what it says


def command(image: Image, project: Path, words: Mapping[str, Sequence[str]], accelerator: str) -> list[str]:
    """Return the command that boots the machine; it finds the words on the kernel's command line."""
    given = [f"vm.{name}={','.join(value)}" for name, value in words.items() if value]
    kernel = f"console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on lsm={LSM} {' '.join(given)}"
    model = ["-cpu", "host"] if accelerator == "kvm" else ["-cpu", "max"]
    disks = [(image.disk, "on"), (project, "on")]
    drives = [f"file={path},format=raw,if=virtio,snapshot={kept}" for path, kept in disks]
    return [
        "qemu-system-x86_64", "-accel", accelerator, *model, "-smp", "2", "-m", str(MEMORY_MB),
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none", "-serial", "stdio",
        "-kernel", str(image.kernel), "-initrd", str(image.initramfs), "-append", kernel,
        *(word for drive in drives for word in ("-drive", drive)),
    ]  # fmt: skip


def boot(arguments: Sequence[str], timeout_s: int, silence_s: float | None = None) -> int | None:
    """Run the machine to its end, showing its console; return the exit code of the tests, 1 when it told none.

    None: it said nothing at all, or nothing within silence_s.
    """
    code: int | None = None
    bounded = ["timeout", "--kill-after=5", str(timeout_s), *arguments]
    with subprocess.Popen(bounded, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        assert machine.stdout is not None
        if not select.select([machine.stdout], [], [], silence_s)[0]:
            machine.terminate()
            return None
        for line in machine.stdout:
            code = 1 if code is None else code
            sys.stdout.buffer.write(line.replace(b"\r\n", b"\n"))
            sys.stdout.flush()
            if found := _EXIT.match(line):
                code = int(found[1])
    if machine.returncode == TIMED_OUT:
        say(f"The machine did not end within {timeout_s} s.")
    return code


def main(arguments: list[str]) -> None:
    """Entry point of the make target. Further arguments go to pytest; they may hold no space and no comma."""
    parser = argparse.ArgumentParser(prog="tools.vm", description=__doc__)
    parser.add_argument("--tests", help="instead of all: paths, separated by commas")
    parser.add_argument("--emulate", action="store_true", help="do without KVM")
    chosen, options = parser.parse_known_args(arguments)
    if os.geteuid() != 0:
        sys.exit("error: cannot make a virtual machine's disk as an ordinary user: run make test-vm as root")
    paths = chosen.tests.split(",") if chosen.tests else TESTS
    words = {"root": paths, "ordinary": paths, "options": options}
    os.umask(0o022)
    began = time.monotonic()
    try:
        account = facts.daemon_account(names=("nobody", "www-data"))
        place = Path(choose_place(facts.places(CLONE, account), account.name).path)
        with environment.alone_in(place), tempfile.TemporaryDirectory(dir=place) as scratch:
            tree, project = Path(scratch, "tree"), Path(scratch, "project.ext4")
            tree.mkdir()
            for name in TREE:
                if (CLONE / name).is_dir():
                    environment.copy_tree(CLONE / name, tree / name)
                else:
                    (tree / name).write_bytes((CLONE / name).read_bytes())
            image = make_image(place / "vm")
            make_disk(tree, project)
            kvm = not chosen.emulate and os.access("/dev/kvm", os.R_OK | os.W_OK)
            code = None
            for accelerator in ("kvm", "tcg") if kvm else ("tcg",):
                say(f"Booting Linux {image.release} ({ACCELERATORS[accelerator]}) …")
                silence_s = SILENCE_S if accelerator == "kvm" else None
                code = boot(command(image, project, words, accelerator), TIMEOUT_S[accelerator], silence_s)
                if code is not None:
                    break
                say("The machine said nothing.")
    except SetUpError as problem:
        sys.exit(f"error: {problem}")
    if code != 0:
        sys.exit(f"test-vm: failed after {time.monotonic() - began:.0f} s")
    say(f"test-vm: all good after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
