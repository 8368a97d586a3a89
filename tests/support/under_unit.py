"""A program that starts another one with the capabilities, system calls and sockets that a unit leaves it.

Arguments: the unit, and the command. Run as root; the unit has one value for each key that is looked at.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from wsgigroups.config.kernel_names import address_families, expanded, system_calls
from wsgigroups.runtime import kernel
from wsgigroups.runtime.confinement import seccomp

# <linux/capability.h>, in the order of their numbers
_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)


def main() -> None:
    """Become what the unit leaves, and then the command."""
    unit, *command = sys.argv[1:]
    lines = Path(unit).read_text().splitlines()
    values = {key: value.split() for key, _equals, value in (line.partition("=") for line in lines)}
    names = _CAPABILITIES.split()
    kept = {name.removeprefix("CAP_") for name in values["CapabilityBoundingSet"]}
    for number in kernel.bounding_set():
        if names[number] not in kept:
            kernel.drop_from_bounding_set(number)
    kernel.set_no_new_privileges()
    machine, known = seccomp.here(), system_calls(platform.machine())
    refused = expanded(word.removeprefix("~") for word in values["SystemCallFilter"])
    seccomp.install(seccomp.calls(machine, [known[name] for name in refused if name in known], allowed=False))
    families = [address_families()[name] for name in values["RestrictAddressFamilies"]]
    seccomp.install(seccomp.address_families(machine, families, allowed=True))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
