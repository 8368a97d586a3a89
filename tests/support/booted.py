"""A machine that systemd has booted, in a container, with a shop's image: units are started there as anywhere.

Runs in pytest's process. systemd is this machine's; its container has the network of the place for containers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from support import base_image
from support.looking import wait
from support.shop_image import Shop

# systemd mounts, and enters name spaces; a manager that is root looks at processes, and sets priorities
_CAPABILITIES = "SYS_ADMIN,SYS_NICE,SYS_PTRACE"
_CONTAINERFILE = """\
FROM localhost/shop:1
USER 0:0
ENV WSGIGROUPS_RUN_DIR=/run/wsgigroups WSGIGROUPS_STATE_DIR=/var/lib/wsgigroups WSGIGROUPS_LOG_DIR=/var/log/wsgigroups
ADD systemd.tar /
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["{program}", "--log-target=console"]
"""


@dataclass
class BootedMachine:
    """name: of its container."""

    shop: Shop
    name: str

    def run(self, *command: str) -> str:
        """Run a command there as root; return what it prints."""
        return self.shop.place.podman("exec", self.name, *command)

    def python(self, program: str, *arguments: str) -> str:
        """Run a program in Python there."""
        return self.run("python3", "-c", program, *arguments)

    def write(self, path: str, text: str) -> None:
        """Write a file there."""
        self.python("import sys; open(sys.argv[1], 'w').write(sys.argv[2])", path, text)

    def unit(self, *properties: str) -> tuple[str, ...]:
        """Return properties of the service, as systemd has them."""
        shown = self.run("systemctl", "show", "wsgigroups", *(f"--property={name}" for name in properties))
        values = dict(line.split("=", 1) for line in shown.splitlines())
        return tuple(values[name] for name in properties)

    def log(self) -> str:
        """What systemd has said, and what wsgigroups has logged."""
        return self.shop.place.log(self.name)


@contextlib.contextmanager
def booted(shop: Shop) -> Iterator[BootedMachine]:
    """Boot one."""
    context = shop.place.directory / "systemd"
    context.mkdir()
    program = base_image.write_systemd(context / "systemd.tar")
    (context / "Containerfile").write_text(_CONTAINERFILE.format(program=program))
    shop.build(context, "systemd:1")
    machine = BootedMachine(shop, "booted")
    how = ("--systemd=always", "--network=host", f"--cap-add={_CAPABILITIES}", "--security-opt=seccomp=unconfined")
    shop.place.podman("run", "--detach", f"--name={machine.name}", *how, "localhost/systemd:1")
    try:
        wait(lambda: "running" in _state(machine), machine.log)
        yield machine
    finally:
        shop.place.podman("rm", "--force", "--time=0", machine.name)


def _state(machine: BootedMachine) -> str:
    with contextlib.suppress(AssertionError):  # it does not listen yet, or still starts
        return machine.run("systemctl", "is-system-running")
    return ""
