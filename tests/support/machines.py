"""Machines that Ansible can reach: each a mount and a pid namespace with an sshd, and its own directory at one path.

Needs root, sshd, ssh and unshare. What lives on a machine ends with it: process 1 there is the sshd.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.looking import wait
from support.ports import Ports
from support.unix_clients import unix_get

SSHD = "/usr/sbin/sshd"
HUNG_S = 300.0
_SSHD = """
ListenAddress 127.0.0.1:{port}
HostKey {base}/host_key
AuthorizedKeysFile {base}/key.pub
PidFile none
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
MaxStartups 100
UseDNS no
Subsystem sftp internal-sftp
"""
_SSH = """
IdentityFile {base}/key
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
"""
# /run: sshd wants a directory there, and nobody else's may be touched
_BEGIN = 'mount -t tmpfs none /run && mkdir /run/sshd && mount --bind "$1" "$2" && exec "$3" -D -e -f "$1/sshd_config"'


@dataclass
class MachineUnderTest:
    """own: its directory as everybody sees it; its processes see that at the path which all machines have."""

    name: str
    own: Path
    port: int
    process: subprocess.Popen[bytes]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of wsgigroups there, without ssh."""
        first = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0]
        return subprocess.Popen(
            ["nsenter", "-t", first, "-m", "-p", str(self.own / "wsgigroups"), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def get(self) -> bytes:
        """What the group answers. Raises OSError, also for what is not complete or no success."""
        status, body = unix_get(self.own / "shop.sock")
        if status != 200:
            raise OSError(f"{self.name} answers {status}")
        return body


@dataclass
class Fleet:
    """Some machines, and what reaches them. here: the path that each has for itself."""

    base: Path
    here: Path
    environment: dict[str, str]
    machines: list[MachineUnderTest] = field(default_factory=list)

    @property
    def inventory(self) -> Path:
        """Of Ansible; `status` reads it, too."""
        return self.base / "hosts.yml"

    def answers(self) -> list[bytes]:
        """What each machine answers now."""
        return [machine.get() for machine in self.machines]

    def files(self) -> list[str]:
        """The configuration that is on the disk of each machine."""
        return [(machine.own / "groups.toml").read_text() for machine in self.machines]

    def run(self, *command: str, code: int = 0, cwd: Path | None = None) -> str:
        """Run a program as the administrator; return what it prints."""
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=HUNG_S, check=False, env=self.environment, cwd=cwd
        )
        assert done.returncode == code, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def wsgigroups(self, *arguments: str) -> str:
        """Run a command of wsgigroups as the administrator; return what it prints."""
        return self.run(sys.executable, "-m", "wsgigroups", *arguments)


@contextlib.contextmanager
def fleet(base: Path, number: int, programs: Path) -> Iterator[Fleet]:
    """Start so many machines. programs: where Ansible's are."""
    here = base / "here"
    here.mkdir()
    for key in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(base / key)], check=True)
    (base / "ssh_config").write_text(_SSH.format(base=base))
    (base / "bin").mkdir()
    _script(base / "bin" / "ssh", f'exec /usr/bin/ssh -F {base}/ssh_config "$@"')
    found = Fleet(base, here, _environment(base, programs))
    with contextlib.ExitStack() as stack:
        ports = Ports()
        stack.callback(ports.close)
        for place in range(1, number + 1):
            found.machines.append(stack.enter_context(_machine(base, here, f"m{place}", ports.reserve())))
        hosts = {
            machine.name: {"ansible_host": "127.0.0.1", "ansible_port": machine.port} for machine in found.machines
        }
        variables = {
            "ansible_user": "root",
            "ansible_python_interpreter": os.path.realpath(sys.executable),  # starts quicker than an environment's
            "groups_program": f"{here}/wsgigroups",
            "groups_file": f"{here}/groups.toml",
        }
        found.inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))  # JSON is YAML
        yield found


@contextlib.contextmanager
def _machine(base: Path, here: Path, name: str, port: int) -> Iterator[MachineUnderTest]:
    own = base / name
    own.mkdir()
    (own / "sshd_config").write_text(_SSHD.format(base=base, port=port))
    where = " ".join(f"--{kind}-dir {own}/{kind}" for kind in ("run", "state", "log"))
    _script(own / "wsgigroups", f'exec {sys.executable} -m wsgigroups {where} "$@"')
    space = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with (base / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*space, "sh", "-c", _BEGIN, "sh", str(own), str(here), SSHD],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    machine = MachineUnderTest(name, own, port, process)
    try:
        said = base / f"{name}.log"
        wait(lambda: "Server listening" in said.read_text(), said.read_text, HUNG_S)
        yield machine
    finally:
        machine.start("shutdown", "--now").communicate(timeout=HUNG_S)  # so that no cgroup is left behind
        process.kill()
        process.wait(HUNG_S)


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _environment(base: Path, programs: Path) -> dict[str, str]:
    # no setting of whoever runs the tests; control sockets have short paths, and end with the test
    return {
        "PATH": f"{base}/bin:{programs}:{os.defpath}",
        "HOME": str(base),
        "LANG": "C.UTF-8",
        "ANSIBLE_HOME": f"{base}/.ansible",
        "ANSIBLE_LOCAL_TEMP": f"{base}/.ansible/tmp",
        "ANSIBLE_REMOTE_TEMP": "/run/ansible",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_TIMEOUT": "60",
        "ANSIBLE_HOST_KEY_CHECKING": "0",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{base}/cp",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_SSH_TRANSFER_METHOD": "piped",
    }


class Load:
    """Requests to every machine, one after the other, each on a connection of its own. A context manager."""

    def __init__(self, machines: Sequence[MachineUnderTest]) -> None:
        self.lost: list[str] = []
        self.seen: dict[str, dict[bytes, int]] = {machine.name: {} for machine in machines}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(machine,)) for machine in machines]

    def __enter__(self) -> Load:  # noqa: PYI034 — Self is Python 3.11
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(HUNG_S)

    def _ask(self, machine: MachineUnderTest) -> None:
        seen = self.seen[machine.name]
        while not self._over.wait(0.05):
            try:
                body = machine.get()
                seen[body] = seen.get(body, 0) + 1
            except OSError as error:
                self.lost.append(f"{machine.name}: {error!r}")
