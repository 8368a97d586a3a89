"""A configuration as wsgigroups.service: a unit that lets the manager do what these groups need, and not more. Pure.

docs/systemd.md says what each line is for.
"""

from __future__ import annotations

import ipaddress
import posixpath
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.renderers.deadlines import start_s, stop_deadlines, text_s
from wsgigroups.interop.renderers.unit_text import argument, section, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config import Configuration, Group
    from wsgigroups.interop.renderers.context import ManagerStart, RenderContext

_HEAD = (
    "# Made by `wsgigroups render systemd`; docs/systemd.md says what each line is for.",
    "# Check it with systemd-analyze verify FILE. It belongs into /etc/systemd/system.",
)
_KEPT = 512  # listeners that systemd keeps over a restart of the service
_HOMES = ("/home", "/root", "/run/user")
# What a manager that is root does to its processes. Each has lost all of them when it loads an application.
CAPABILITIES = (
    "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP",  # they become their user, for good
    "CAP_KILL", "CAP_SYS_PTRACE",  # they are stopped, and looked at in /proc
    "CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE",  # sockets and logs
    "CAP_SYS_RESOURCE", "CAP_SYS_NICE",  # limits, oom_score_adj, cpu-priority
    "CAP_SYS_ADMIN", "CAP_SYS_CHROOT",  # mounts and cgroups of their own, chroot
    "CAP_NET_BIND_SERVICE",  # ports below 1024
)  # fmt: skip
_HARDENING = (
    "NoNewPrivileges=yes",
    f"CapabilityBoundingSet={' '.join(CAPABILITIES)}",
    "ProtectSystem=full",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelTunables=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap",
    "SystemCallErrorNumber=EPERM",
    "UMask=0022",
)


def service_unit(configuration: Configuration, context: RenderContext) -> str:
    """Return the unit. Raises WsgigroupsError where it is not known which files the manager is to read."""
    manager = context.manager
    if not manager.files:
        raise WsgigroupsError(
            "cannot render systemd: the unit has the manager read files, and none was named",
            hint="wsgigroups render systemd /etc/wsgigroups/groups.toml",
            exit_code=ExitCode.USAGE,
        )
    online = _needs_addresses(configuration)
    mounts = list(dict.fromkeys(_directories(configuration, manager)))
    unit = [
        "Description=Groups of WSGI daemon processes",
        f"After={'network-online.target' if online else 'network.target'}",
        *(["Wants=network-online.target"] if online else []),
        *([f"RequiresMountsFor={' '.join(map(word, mounts))}"] if mounts else []),
    ]
    service = [
        "# with systemd 253 or newer: Type=notify-reload, and no ExecReload=",
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={_command(manager)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "RestartSec=100ms",
        "KillMode=process",
        f"TimeoutStartSec={text_s(start_s(configuration))}",
        f"TimeoutStopSec={text_s(stop_deadlines(configuration).service_s)}",
        "WatchdogSec=30s",
        "",
        "# listeners stay open over a restart of the service; systemd before 254 does not set the variable",
        f"FileDescriptorStoreMax={_KEPT}",
        f"Environment=FDSTORE={_KEPT}",
        "",
        "# limits of groups, and nothing left of a process; DelegateSubgroup= is systemd 254's, older ones ignore it",
        "Delegate=cpu memory pids io",
        "DelegateSubgroup=manager",
        "OOMPolicy=continue",
        "TasksMax=infinity",
        "LimitNOFILE=1024:524288",
        "",
        "# what neither the manager nor applications need",
        *_HARDENING,
        *(["ProtectHome=yes"] if _no_homes(configuration, manager) else []),
    ]
    parts = [list(_HEAD), section("Unit", unit), section("Service", service)]
    parts.append(section("Install", ["WantedBy=multi-user.target"]))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _command(manager: ManagerStart) -> str:
    profiles = [item for name in manager.profiles for item in ("--profile", name)]
    words = [manager.program, *manager.options, "run", *manager.files, *profiles]
    return " ".join(map(argument, words))


def _needs_addresses(configuration: Configuration) -> bool:
    """Whether some address has to be the machine's before the manager can listen there."""
    listens = [text for group in configuration.all_groups().values() for text in group.listen]
    listens += [text for site in configuration.sites.values() for text in site.listen]
    found = [ipaddress.ip_address(address.host) for address in map(parse, listens) if address.host]
    return any(not (item.is_loopback or item.is_unspecified) for item in found)


def _directories(configuration: Configuration, manager: ManagerStart) -> Iterator[str]:
    """What has to be mounted before: the directories that the configuration names."""
    yield from (posixpath.dirname(path) for path in manager.files)
    yield from manager.own_dirs
    for group in configuration.all_groups().values():
        yield from (str(path) for path in _paths(group))
    for site in configuration.sites.values():
        yield from (str(item.directory) for item in site.static)
        yield from (posixpath.dirname(str(path)) for path in (site.certificate, site.certificate_key) if _is_path(path))


def _paths(group: Group) -> Iterator[str]:
    yield from (str(path) for path in (group.chroot, group.home, group.python_home) if path)
    yield from map(str, group.python_path)
    if group.script:
        yield posixpath.dirname(str(group.script))


def _is_path(text: object) -> bool:
    return str(text).startswith("/")


def _no_homes(configuration: Configuration, manager: ManagerStart) -> bool:
    """Whether nothing that is named is in a home, and no process works in that of its account."""
    if not all(group.home for group in configuration.all_groups().values()):
        return False
    named = [*_directories(configuration, manager), manager.program]
    return not any(path == home or path.startswith(f"{home}/") for path in named for home in _HOMES)
