"""The first process of the virtual machine of `make test-vm`: mounts what a Debian has, runs the tests, and ends it.

What it prints goes to the serial console; the last line has the exit code for `tools/vm.py`.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import traceback
from pathlib import Path

MOUNTS = (
    ("proc", "proc", "/proc"),
    ("sysfs", "sys", "/sys"),
    ("devtmpfs", "dev", "/dev"),
    ("devpts", "pts", "/dev/pts"),
    ("tmpfs", "shm", "/dev/shm"),
    ("tmpfs", "run", "/run"),
    ("tmpfs", "tmp", "/tmp"),
    ("cgroup2", "cgroup", "/sys/fs/cgroup"),
)
FILES = ("/proc/version", "/sys/kernel/security/lsm", "/sys/fs/cgroup/cgroup.controllers", "/proc/meminfo")
PYTEST = ("/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", "-v", "--color=no")
NOBODY, NOGROUP = 65534, 65534
_NOTHING_RUN = 5  # pytest: what was named is for the other account
_RB_AUTOBOOT = 0x01234567  # reboot(2); the machine is started so that this ends it


def mount() -> None:
    for kind, name, where in MOUNTS:
        os.makedirs(where, exist_ok=True)
        if not os.path.ismount(where):
            subprocess.run(["mount", "-t", kind, name, where], check=True)
    subprocess.run(["mount", "-t", "securityfs", "security", "/sys/kernel/security"], check=False)
    for where in ("/tmp", "/dev/shm"):
        os.chmod(where, 0o1777)
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        if not os.path.lexists(f"/dev/{name}"):
            os.symlink(target, f"/dev/{name}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def tell() -> None:
    for name in FILES:
        if os.path.exists(name):
            print(f"{name}: {Path(name).read_text().splitlines()[0]}", flush=True)


def run(command: list[str], **more: object) -> int:
    """Run to the end, and meanwhile reap what is nobody else's."""
    print("$", *command, flush=True)
    process = subprocess.Popen(command, cwd="/project", **more)  # type: ignore[call-overload]
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return int(process.returncode)


def parameters() -> dict[str, list[str]]:
    """Return what the kernel's command line has for us; words are separated by commas."""
    words = [word.partition("=") for word in Path("/proc/cmdline").read_text().split() if word.startswith("vm.")]
    return {name.removeprefix("vm."): value.split(",") for name, _sign, value in words}


def tests() -> int:
    os.environ.update(
        PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME="/tmp", LANG="C.UTF-8", CI="true", WSGIGROUPS_VM="1",
    )  # fmt: skip
    mount()
    tell()
    wanted = parameters()
    options = wanted.get("options", [])
    # once, and not while a test waits
    run(["/usr/bin/python3", "-m", "compileall", "-q", "/project/wsgigroups", "/project/tests/support"])
    codes = [run([*PYTEST, *options, *wanted["root"]])]
    if wanted.get("ordinary"):
        delegated = Path("/sys/fs/cgroup/delegated")
        (delegated / "tests").mkdir(parents=True)
        Path("/sys/fs/cgroup/cgroup.subtree_control").write_text("+cpu +memory +pids")
        for path in (delegated, *(delegated / name for name in ("cgroup.procs", "cgroup.subtree_control"))):
            os.chown(path, NOBODY, NOGROUP)
        for path in (delegated / "tests", delegated / "tests" / "cgroup.procs"):
            os.chown(path, NOBODY, NOGROUP)
        os.makedirs("/tmp/nobody")
        os.chown("/tmp/nobody", NOBODY, NOGROUP)
        environment = {**os.environ, "HOME": "/tmp/nobody", "TMPDIR": "/tmp/nobody"}
        environment["HYPOTHESIS_STORAGE_DIRECTORY"] = "/tmp/nobody/hypothesis"
        join = f'echo 0 > {delegated}/tests/cgroup.procs && exec "$@"'
        become = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOGROUP), "--clear-groups"]
        command = ["/bin/sh", "-c", join, "sh", *become, *PYTEST, *options, *wanted["ordinary"]]
        codes.append(run(command, env=environment))
    return max([code for code in codes if code != _NOTHING_RUN] or codes)


def main() -> None:
    code = 1
    try:
        code = tests()
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    print(f"\nwsgigroups-vm: exit code {code}", flush=True)
    os.sync()
    ctypes.CDLL(None).reboot(_RB_AUTOBOOT)


if __name__ == "__main__":
    main()
