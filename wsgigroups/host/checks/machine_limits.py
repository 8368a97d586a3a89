"""What a host has room for: queues, ports, threads, memory. Asks only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wsgigroups.config import addresses
from wsgigroups.config.units import approximate_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config.source import Path
    from wsgigroups.host.checks.checking import CheckedGroup, Checking

_THREADS_BESIDE = 2  # of a daemon, besides those for requests: the main thread and the monitor


def check_listen(checking: Checking, member: CheckedGroup) -> None:
    """Addresses and the queue behind them."""
    group = member.group
    limits = checking.host.limits()
    somaxconn = limits["somaxconn"]
    if somaxconn is not None and group.listen_backlog > somaxconn and group.listen:
        path: Path = (*member.path, "listen-backlog")
        message = f"the system cuts the queue of {group.listen_backlog} to net.core.somaxconn, {somaxconn}"
        checking.add("WG0614", path, message, f"sysctl net.core.somaxconn={group.listen_backlog}, or less here")
    for i, text in enumerate(group.listen):
        check_address(checking, (*member.path, "listen", i), addresses.parse(text), limits["unprivileged_port"])


def check_address(checking: Checking, path: Path, address: addresses.Address, first_port: int | None) -> None:
    """Whether somebody could listen there."""
    if address.path is not None:
        directory = os.path.dirname(address.path)
        if checking.host.path(directory) is None:
            checking.add("WG0613", path, f"there is no directory {directory} for the socket", None)
        return
    if not address.is_wildcard and not str(address.host).startswith("127."):
        known = checking.host.addresses()
        if address.host not in known:
            checking.add("WG0619", path, f"no interface has the address {address.host}", None)
    if not checking.privileged and first_port is not None and (address.port or 0) < first_port:
        checking.add("WG0620", path, f"port {address.port} needs root: those from {first_port} on do not", None)


def check_limits(checking: Checking, members: Sequence[CheckedGroup]) -> None:
    """All groups together: threads of a user, memory of the machine."""
    limits = checking.host.limits()
    _check_threads(checking, members, limits["nproc"])
    _check_memory(checking, members, limits["memory_bytes"])


def _check_threads(checking: Checking, members: Sequence[CheckedGroup], limit: int | None) -> None:
    if limit is None:
        return
    by_user: dict[str, list[CheckedGroup]] = {}
    for member in members:
        if member.identity is not None or not checking.privileged:
            by_user.setdefault(member.user_name if checking.privileged else "", []).append(member)
    for name, found in sorted(by_user.items()):
        needed = sum(member.group.processes * (member.group.threads + _THREADS_BESIDE) for member in found)
        if needed > limit:
            largest = max(found, key=lambda member: member.group.processes * member.group.threads)
            path: Path = (*largest.path, "threads" if largest.group.is_set("threads") else "processes")
            who = f"the groups of {name}" if name else "the groups"
            message = (
                f"{who} need {needed} threads (processes × (threads + {_THREADS_BESIDE}), summed), "
                f"RLIMIT_NPROC is {limit}"
            )
            checking.add("WG0615", path, message, "raise the limit, or lower threads or processes")


def _check_memory(checking: Checking, members: Sequence[CheckedGroup], memory_bytes: int | None) -> None:
    limited = [member for member in members if member.group.memory_limit]
    if memory_bytes is None or not limited:
        return
    total = sum(member.group.processes * member.group.memory_limit for member in limited)
    if total > memory_bytes:
        largest = max(limited, key=lambda member: member.group.processes * member.group.memory_limit)
        message = (
            f"memory-limit × processes over {len(limited)} groups is {approximate_bytes(total)}, the host has "
            f"{approximate_bytes(memory_bytes)}: the limits do not keep it from running out"
        )
        checking.add("WG0616", (*largest.path, "memory-limit"), message, "lower memory-limit or processes")
